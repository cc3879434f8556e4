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
# # DRRN, Tables 2 and 3: the benchmarks
#
# **Question.** How far are our DRRN_B1U9 and DRRN_B1U25 from the printed PSNR, SSIM and IFC on Set5, Set14, BSD100 and Urban100?
#
# The paper says that its two models outperform "all existing methods in all datasets and scale factors" in PSNR and SSIM (Table 2), and
# that DRRN does so in IFC (Table 3), with one model for all three scales.

# %% tags=["parameters", "hide-input"]
train: bool = False  # True: train here and now; False: show the records
budget: float = 1.0  # fraction of the recipe's iterations
seed: int = 0  # of weights, patch order and augmentation
device: str = "auto"  # cpu, cuda or auto
experiments: list[str] = ["drrn_b1u9_w16"]  # the paper's: drrn_b1u9
compare: list[str] = ["drrn_b1u3_w32", "bicubic"]  # compared image by image
data: str = ""  # training set or folder; default: the experiment's
runs: str = ""  # records of this run; default: below results/runs

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
from IPython.display import Markdown, display

from srlib.figures.style import table, use_style
from srlib.figures.tables import (
    cells,
    compared,
    image_scores,
    other_runs,
    results_table,
)
from srlib.figures.text import summary
from srlib.ledger.rows import ledger
from srlib.records.run import rerun

use_style()
rows = ledger(("drrn",))

# %% [markdown]
# ## Method
#
# Everything is scored under two protocols, which differ only in that `vdsr` clips bicubic interpolation to the studio range
# ({doc}`/protocols`): the cited PSNR and SSIM of bicubic and VDSR are reproduced to the printed digit under `vdsr`, and IFC under `drrn`.
# The paper's own rows are compared under `drrn`, as its released code scores.
# Table 3's VDSR is not the released network but the paper's own, with batch normalisation.
#
# `srlib.models.drrn` is the network, `srlib.papers.drrn` the recipe.

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
fresh = rerun(experiments, "drrn_tables", **options) if train else None
if fresh:
    display(table(fresh.table(), "This run"))
else:
    display(
        Markdown("Nothing is trained: records and printed numbers are shown.")
    )

# %% [markdown]
# ## Result: Table 2

# %% tags=["full-width"]
results_table(cells(rows, "Table 2"), "DRRN, Table 2: PSNR (dB) / SSIM")

# %% [markdown]
# ## Result: Table 3

# %% tags=["full-width"]
results_table(cells(rows, "Table 3"), "DRRN, Table 3: IFC (bits per pixel)")

# %% [markdown]
# ## Runs of ours that no cell asks for
#
# Narrow networks, trained on a CPU. They show that training and scoring work from end to end; they are not the paper's networks.

# %%
other_runs("drrn", ("drrn",))

# %% [markdown]
# ## Image by image
#
# A mean hides which images decide it.
# Below two records are compared on the same images, with the mean difference and its 95 % interval (bootstrap over images);
# `compare` in the parameters chooses them.

# %%
display(*compared(*compare, "drrn"))

# %% [markdown]
# The scores behind every mean, to unfold:

# %%
display(*image_scores("drrn", "drrn"), *image_scores("drrn", "vdsr"))

# %% [markdown]
# ## What we learned

# %%
display(
    Markdown(summary(row for row in rows if row.where in ("Table 2", "Table 3")))
)

# %% [markdown]
# * The bicubic and VDSR columns of Table 2 come out to the printed digit but for what carries a note ({doc}`bicubic`), so a gap of
#   ours to the DRRN columns will be one of training, not of scoring. {ref}`The chapter <drrn-gap>` lists what it can consist of.
# * Part of the printed lead over VDSR may be one of protocol: its Set14 scores come out under `vdsr`, not under `drrn` ({doc}`/protocols`).
# * Table 3's SelfEx column stems from tables that were made with 8-bit low-resolution images, its bicubic column does not:
#   IFC must not be compared between columns of different origin ({doc}`/protocols`).
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/drrn_tables.ipynb results/runs/drrn_tables.ipynb -p train True`
#
# A narrow B1U9; `-p budget 0.01` makes it a smoke test.
# `-p experiments drrn_b1u9,drrn_b1u25 -p device cuda` trains the paper's networks, with our fast recipe.
# In the book, the box below the question says what each costs.
# ```
