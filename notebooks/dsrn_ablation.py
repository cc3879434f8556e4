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
# # DSRN, Table 2: states, sharing and feedback
#
# **Question.** What do two states, shared weights and the feedback from high to low resolution add, at each scale?
#
# Table 2 prints PSNR of RGB on DIV2K for four networks of the authors and five entries of the NTIRE 2017 challenge.

# %% tags=["parameters", "hide-input"]
train: bool = False  # True: train here and now; False: show the records
budget: float = 0.02  # fraction of the recipe's iterations
seed: int = 0  # of weights, patch order and augmentation
device: str = "auto"  # cpu, cuda or auto
experiments: list[str] = [
    "dsrn_div2k_x2_w16",
    "dsrn_div2k_no_feedback_x2_w16",
]  # what is trained
data: str = ""  # training set or folder; default: the experiment's
runs: str = ""  # records of this run; default: below results/runs

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
import pandas as pd
from IPython.display import Markdown, display

from srlib.datasets import is_available
from srlib.figures.orderings import orders
from srlib.figures.style import table, use_style
from srlib.figures.tables import cells, results_table
from srlib.figures.text import summary
from srlib.ledger.rows import ledger
from srlib.models import MODELS, meta_model, params
from srlib.records.run import rerun

use_style()
rows = ledger(("dsrn",))

# %% [markdown]
# ## Method
#
# The upper half of the table is the authors' own, trained on DIV2K and scored on its public validation images.
# The lower half comes from the challenge, which scored on hidden test images; so the halves cannot be compared with each other, and ours
# cannot be compared with the lower one.
# Protocol `div2k_rgb`: 8-bit RGB, as many pixels as the scale and six more removed from every border ({doc}`/protocols`).

# %%
if is_available("DIV2K"):
    display(Markdown("DIV2K is at hand."))
else:
    display(
        Markdown(
            "DIV2K is not at hand: its stand-in trains the same networks on other images."
        )
    )

# %%
NETWORKS = {
    "single state": "dsrn_single_state",
    "without sharing": "dsrn_untied_x3",
    "without feedback": "dsrn_no_feedback_x3",
    "DSRN": "dsrn_t7_x3",
}
networks = {label: meta_model(MODELS[name]) for label, name in NETWORKS.items()}
sizes = [
    {
        "network": label,
        "model": NETWORKS[label],
        "depth": network.depth,
        "weights": f"{params(network):,}",
    }
    for label, network in networks.items()
]
table(pd.DataFrame(sizes), "The four networks, ×3")

# %% [markdown]
# ## Code: training
#
# One call for each network; a killed run goes on where it stopped when the same command is given again.

# %%
options = {
    "budget": budget,
    "seed": seed,
    "device": device,
    "data": data,
    "runs": runs,
}
fresh = rerun(experiments, "dsrn_ablation", **options) if train else None
if fresh:
    display(table(fresh.table(), "This run"))
else:
    display(
        Markdown("Nothing is trained: records and printed numbers are shown.")
    )

# %% [markdown]
# ## Result: Table 2

# %%
LABELS = {
    "single_state": "Single-state baseline",
    "untied": "DSRN w/o parameter sharing",
    "no_feedback": "DSRN w/o delayed feedback",
    "dsrn": "DSRN",
    "edsr+": "EDSR+",
    "wang": "Wang et al.",
    "bae": "Bae et al.",
    "selnet": "SelNet",
    "btsrn": "BTSRN",
}


def label_of(row):
    return LABELS[row.id.split(".")[-1]]


columns = {
    "line": lambda row: (label_of(row),),
    "column": lambda row: f"×{row.scale}",
    "heads": ("network",),
}
table_2 = cells(rows, "Table 2")

# %%
authors = [row for row in table_2 if row.kind == "measured"]
caption = (
    "DSRN, Table 2, own networks: PSNR of RGB (dB) on DIV2K's validation set"
)
results_table(authors, caption, **columns, best_along="column")

# %%
challenge = [row for row in table_2 if row.kind != "measured"]
caption = "DSRN, Table 2, challenge: PSNR of RGB (dB) on the hidden test set"
results_table(challenge, caption, **columns, best_along="column")

# %% [markdown]
# What the printed numbers say each part is worth:

# %%
psnr = {(label_of(row), row.scale): float(row.published) for row in authors}
losses = [
    {"left out": label}
    | {
        f"×{scale} (dB)": f"{psnr[label, scale] - psnr['DSRN', scale]:+.2f}"
        for scale in (2, 3, 4)
    }
    for label in (LABELS["single_state"], LABELS["untied"], LABELS["no_feedback"])
]
table(pd.DataFrame(losses), "Printed PSNR minus that of the whole DSRN")

# %% [markdown]
# ## The claims of order

# %%
display(Markdown(orders("dsrn", ("Table 2", "Section 5.3"))))

# %% [markdown]
# ## What we learned

# %%
display(Markdown(summary(row for row in rows if row.where == "Table 2")))

# %% [markdown]
# * What the text calls "around 0.2 dB" for sharing stands in the table of losses above, scale by scale.
# * The network without sharing has several times the weights (first table above); that it is worse on 800 training images says something about
#   training, not about what it could represent.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/dsrn_ablation.ipynb results/runs/dsrn_ablation.ipynb -p train True`
#
# Two narrow networks. `-p experiments dsrn_div2k_x2_standin -p device cuda` trains on the stand-in.
# In the book, the box below the question says what each costs.
# ```
