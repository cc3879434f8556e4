# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # RL-CSC, Tables 3 and 4: residual learning, and memory in training
#
# **Question.** Does RL-CSC "not even converge" without residual learning, and does it need less memory in training than DRRN because it
# has no batch normalisation?

# %% tags=["parameters"]
train: bool = False  # True: train here and now; False: show the records
budget: float = 0.02  # fraction of the recipe's iterations
seed: int = 0  # of weights, patch order and augmentation
device: str = "auto"  # cpu, cuda or auto
experiments: list[str] = ["rlcsc_k25_w8", "rlcsc_k25_no_residual_w8"]  # what is trained
data: str = ""  # training set or folder; default: the experiment's
runs: str = ""  # records of this run; default: below results/runs

# %%
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import pandas as pd
import torch
from IPython.display import Markdown, display
from pages.orderings import orders

from srlib.figures.style import table, use_style
from srlib.figures.tables import cells, results_table
from srlib.ledger.rows import ledger
from srlib.models import MODELS, params_total
from srlib.papers import printed
from srlib.records.record import find_record
from srlib.records.rerun import rerun

use_style()
rows = ledger(("rlcsc",))

# %% [markdown]
# ## Method: Table 3
#
# The paper trains K = 25 with and without the sum of Eq. 12 and prints PSNR on Set5 ×3 after epochs 1, 5, 10 and 13 of 35.
# Without it the printed number is the same in every epoch.

# %% [markdown]
# ## Code: training
#
# One call for each network; a killed run goes on where it stopped when the same command is given again.

# %%
how = {"budget": budget, "device": device, "data": data, "runs": runs}
fresh = rerun(experiments, "rlcsc_residual_memory", seed=seed, **how) if train else None
if fresh:
    display(table(fresh.table(), "This run"))
else:
    display(Markdown("Nothing is trained: records and printed numbers are shown."))

# %% [markdown]
# ## Result: Table 3

# %% tags=["hide-input"]
results_table(
    cells(rows, "Table 3"),
    "RL-CSC, Table 3: PSNR (dB) on Set5 ×3 by epoch",
    line=lambda row: ("No Residual" if "no_residual" in row.id else "With Residual",),
    column=lambda row: f"epoch {row.id.split('.epoch')[1]}",
    heads=("network",),
    best_along="",
)

# %% [markdown]
# ## What the number says
#
# Is there an image that has this PSNR whatever was learned? The plainest one is black:

# %% tags=["hide-input"]
black = find_record("black")
value = printed("rlcsc.t3.no_residual.epoch1")
if black is None:
    display(Markdown("There is no record of the black image."))
else:
    ours = black.mean("Set5", 3, "psnr", "drrn")
    same = "the printed number, digit for digit" if f"{ours:.2f}" == f"{value:.2f}" else f"not the printed {value}"
    display(Markdown(f"An all-black image scores **{ours:.4f} dB** on Set5 ×3 under `drrn`: {same}."))

# %% [markdown]
# If so, the network without residual did not merely converge badly: from its first epoch on every pixel of its output was zero or below.
# Its last layer is a convolution of ReLU(W₂z) without bias, so its output is zero as soon as all those ReLUs are ("dead").
# With residual learning the same dead network would return the bicubic image, some 30 dB.
# The table compares a living network with a dead one.

# %% [markdown]
# ## Method: Table 4
#
# Megabytes on a Titan Xp as `nvidia-smi` shows them, in two frameworks, are not ours to reproduce.
# What can be compared is what an architecture makes a framework keep: the activations that the backward pass needs.
# They are counted here, byte by byte, on a small patch with hooks on everything that is saved, and scaled to the table's batches.


# %%
def kept_bytes(name: str, side: int = 8) -> tuple[float, int]:
    """Bytes a pixel that one patch makes the backward pass keep, and bytes of weights."""
    model, seen = MODELS[name]().train(), {}
    weights = {p.data_ptr() for p in model.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.data_ptr() not in weights and tensor.numel() > 4 * side:
            # held, so that no other takes its address
            seen[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(torch.rand(2, 1, side, side)).sum()
        size = sum(tensor.untyped_storage().nbytes() for tensor in seen.values())
    return size / (2 * side * side), 4 * params_total(model)


# %% [markdown]
# ## Result: Table 4

# %% tags=["hide-input"]
memory, kept = [], {}
for row in (row for row in rows if row.where == "Table 4" and row.kind == "hardware" and row.note.startswith("batch")):
    batch, patch = (int(part.split()[1]) for part in row.note.split(", "))
    if row.experiment not in kept:
        kept[row.experiment] = kept_bytes(row.experiment)
    activations, weights = kept[row.experiment]
    # Weights, their gradients and the momentum, besides the activations.
    ours = activations * batch * patch**2 + 3 * weights
    memory.append({"model": row.experiment, "batch": batch, "patch": patch, "printed": f"{row.published} {row.metric}",
                   "kept for the backward pass": f"{ours / 2**20:,.0f} MiB", "value": ours})  # fmt: skip
reference = next(m["value"] for m in memory if m["model"] == "drrn_b1u9")
for m in memory:
    number = m["printed"].split()[0].replace(",", "")
    theirs = f"{float(number) / printed('rlcsc.t4.drrn20'):.2f}" if number.isdigit() and "MB" in m["printed"] else "–"
    m |= {"printed / DRRN (20)": theirs, "ours / DRRN (20)": f"{m.pop('value') / reference:.2f}"}
table(pd.DataFrame(memory), "RL-CSC, Table 4: printed, and what the architectures make one framework keep")

# %% [markdown]
# ## The claims of order

# %% tags=["hide-input"]
display(Markdown(orders("rlcsc", ("Table 3", "Table 4", "Section 5.4"))))

# %% [markdown]
# ## What we learned
#
# * Table 3's lower row is the score of a black image, so the network was most likely dead. Why, the paper does not say. It does not show
#   that no such network can be trained.
# * In one framework RL-CSC keeps more for the backward pass than DRRN of 20 layers, not less: 256 maps in each recursion outweigh what batch
#   normalisation keeps. The printed ratio compares PyTorch with Caffe. Of 52 layers DRRN keeps more than RL-CSC, as the paper says.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/rlcsc_residual_memory.ipynb results/runs/rlcsc_residual_memory.ipynb -p train True`
#
# Two narrow networks.
# `-p experiments rlcsc_k25_no_residual -p budget 1 -p device cuda` trains the paper's.
# In the book, the box below the question says what each costs.
# ```
