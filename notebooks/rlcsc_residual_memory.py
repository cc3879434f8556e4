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

# %% tags=["parameters", "hide-input"]
train: bool = False  # True: train here and now; False: show the records
budget: float = 0.02  # fraction of the recipe's iterations
seed: int = 0  # of weights, patch order and augmentation
device: str = "auto"  # cpu, cuda or auto
experiments: list[str] = ["rlcsc_k25_w8", "rlcsc_k25_no_residual_w8"]  # trained
data: str = ""  # training set or folder; default: the experiment's
runs: str = ""  # records of this run; default: below results/runs

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
from IPython.display import Markdown, display

from srlib.figures.orderings import orders
from srlib.figures.sparse_codes import black_image_text, kept_bytes, memory_table
from srlib.figures.style import table, use_style
from srlib.figures.tables import cells, results_table
from srlib.ledger.rows import ledger
from srlib.records.run import rerun

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
options = {
    "seed": seed,
    "budget": budget,
    "device": device,
    "data": data,
    "runs": runs,
}
fresh = rerun(experiments, "rlcsc_residual_memory", **options) if train else None
if fresh:
    display(table(fresh.table(), "This run"))
else:
    display(
        Markdown("Nothing is trained: records and printed numbers are shown.")
    )

# %% [markdown]
# ## Result: Table 3

# %%
results_table(
    cells(rows, "Table 3"),
    "RL-CSC, Table 3: PSNR (dB) on Set5 ×3 by epoch",
    line=lambda row: (
        "No Residual" if "no_residual" in row.id else "With Residual",
    ),
    column=lambda row: f"epoch {row.id.split('.epoch')[1]}",
    heads=("network",),
    best_along="",
)

# %% [markdown]
# ## What the number says
#
# Is there an image that has this PSNR whatever was learned? The plainest one is black:

# %%
display(Markdown(black_image_text()))

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
# `kept_bytes` counts them, byte by byte, on a small patch with hooks on everything that is saved, and beside them the bytes of the
# weights. The table scales them to its batches.

# %%
memory = {
    name: kept_bytes(name) for name in ("drrn_b1u9", "drrn_b1u25", "rlcsc_k25")
}

# %% [markdown]
# ## Result: Table 4

# %%
table(
    memory_table(rows, memory),
    "RL-CSC, Table 4: printed, and what the architectures make one framework keep",
)

# %% [markdown]
# ## The claims of order

# %%
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
