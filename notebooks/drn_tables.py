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
# # DRN, Table 3: the benchmarks
#
# **Question.** How far are our DRN and DRN+ from the printed PSNR and SSIM, and which of the printed numbers can be right at all?
#
# The text that we have holds the rows at ×3, the ×2 and ×4 cells of one quoted method, and blanks where DRN's own Urban100 and Manga109
# numbers should be.

# %% tags=["parameters", "hide-input"]
train: bool = False  # True: train here and now; False: show the records
budget: float = 1.0  # fraction of the recipe's iterations
seed: int = 0  # of weights, patch order and augmentation
device: str = "auto"  # cpu, cuda or auto
experiments: list[str] = ["drn_x3_w16"]  # what is trained; the paper's: drn_x3
compare: list[str] = ["drn_x3_c32_g2_k3", "bicubic"]  # compared image by image
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
rows = ledger(("drn",))

# %% [markdown]
# ## Method
#
# DRN works on RGB and was trained like EDSR by all signs, so its own rows are probably scored as EDSR's scripts do (`rgb_floaty`); nothing
# proves it. The bicubic and VDSR columns are those of the other papers (`vdsr`).
# Ours are compared under `rgb_floaty` and `lapsrn`; both stand below each printed number.
# The networks want DIV2K. Trained on a stand-in they would be shown, but not called comparable.
#
# `srlib.models.drn` is the network, `srlib.papers.drn` the recipe, and {doc}`/drn_open` lists what the paper leaves open.

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
fresh = rerun(experiments, "drn_tables", **options) if train else None
if fresh:
    display(table(fresh.table(), "This run"))
else:
    display(
        Markdown("Nothing is trained: records and printed numbers are shown.")
    )

# %% [markdown]
# ## Result: Table 3

# %% tags=["full-width"]
table_3 = sorted(cells(rows, "Table 3"), key=lambda row: row.scale)
results_table(
    [row for row in table_3 if row.scale == 3],
    "DRN, Table 3: PSNR (dB) / SSIM at ×3",
)

# %% [markdown]
# One quoted method has its ×2 and ×4 cells crowded into the same line of the text:

# %% tags=["full-width"]
results_table(
    [row for row in table_3 if row.scale != 3],
    "DRN, Table 3: what there is at ×2 and ×4",
    best_along="",
)

# %% [markdown]
# ## Runs of ours that no cell asks for
#
# Narrow networks, trained on two CPU cores. They prove the path from training to score; they are not the paper's networks.

# %%
other_runs("drn", ("rgb_floaty", "lapsrn"))

# %% [markdown]
# ## Image by image
#
# A mean hides which images decide it.
# Below two records are compared on the same images, with the mean difference and its 95 % interval (bootstrap over images);
# `compare` in the parameters chooses them.

# %%
display(*compared(*compare, "lapsrn"))

# %% [markdown]
# The scores behind every mean, to unfold:

# %%
for protocol in ("rgb_floaty", "lapsrn"):
    display(*image_scores("drn", protocol))

# %% [markdown]
# ## What we learned

# %%
display(Markdown(summary(row for row in rows if row.where == "Table 3")))

# %% [markdown]
# * Some cells cannot be right, whoever measured them: {doc}`/drn_open` has each with the arithmetic that shows it.
# * DRN's own caption promises IFC and two more scales, of which the text holds nothing.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/drn_tables.ipynb results/runs/drn_tables.ipynb -p train True`
#
# A narrow DRN; `-p budget 0.01` makes it a smoke test.
# `-p experiments drn_x3,drn_plus_x3 -p device cuda` trains the paper's, on DIV2K.
# In the book, the box below the question says what each costs.
# ```
