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
# # RL-CSC, Figures 7 and 8: recursions and filters
#
# **Question.** Does a deeper RL-CSC do better ("deeper is better"), and does the one with 592k weights still beat VDSR?
#
# Figure 7 draws PSNR on Set5 ×3 by epoch for K = 15, 20, 25 and 48; the text gives the final values.
# Figure 8 draws two widths at K = 15; its values are in the image only.

# %% tags=["parameters", "hide-input"]
train: bool = False  # True: train here and now; False: show the records
budget: float = 0.02  # fraction of the recipe's iterations
seed: int = 0  # of weights, patch order and augmentation
device: str = "auto"  # cpu, cuda or auto
experiments: list[str] = ["rlcsc_k15_m128_w8", "rlcsc_k15_w8"]  # what is trained
data: str = ""  # training set or folder; default: the experiment's
runs: str = ""  # records of this run; default: below results/runs

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
import pandas as pd
from IPython.display import Markdown, display

from srlib.figures.comparisons import curve_figure, curves
from srlib.figures.orderings import orders
from srlib.figures.style import COLOURS, show, table, use_style
from srlib.figures.sweeps import sweep, sweep_figure, sweep_table
from srlib.figures.tables import cells
from srlib.figures.text import summary
from srlib.ledger.rows import ledger
from srlib.models import MODELS, meta_model, params
from srlib.papers import claim
from srlib.records.run import rerun

use_style()
rows = ledger(("rlcsc",))
RECURSIONS = (15, 20, 25, 48)
LARGE, SMALL = (
    f"{claim(f'rlcsc.f8.{size}.params').value} weights" for size in ("i", "ii")
)

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-rlcsc-recursion": {
        "caption": (
            "RL-CSC's Figure 7, final values: PSNR on Set5 ×3 against the number of recursions. Hollow: the paper's text."
            " Filled: our records; diamonds: this run."
        ),
        "alt": (
            "PSNR on Set5 at scale 3 against 15, 20, 25 and 48 recursions. The four printed values rise from 33.98 to "
            "34.16 decibels; ours are added as they are trained."
        ),
    },
    "fig-rlcsc-curves": {
        "caption": "Learning curves of our RL-CSC records: PSNR on held-out images against iterations.",
        "alt": "One line for each committed RL-CSC record: PSNR on ten held-out crops against training iterations.",
    },
}

# %% [markdown]
# ## Method
#
# The recursion applies one convolution S again and again ({doc}`rlcsc_sparse_coding`), so K changes depth and time but no weights:

# %%
networks = {(LARGE, K): f"rlcsc_k{K}" for K in RECURSIONS} | {
    (SMALL, 15): "rlcsc_k15_m128"
}
models = {name: meta_model(MODELS[name]) for name in (*networks.values(), "vdsr")}
sizes = [
    {"network": name, "depth": model.depth, "weights": f"{params(model):,}"}
    for name, model in models.items()
]
table(pd.DataFrame(sizes), "The networks of Figures 7 and 8, and VDSR")

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
fresh = rerun(experiments, "rlcsc_recursion", **options) if train else None
if fresh:
    display(table(fresh.table(), "This run"))
else:
    display(
        Markdown("Nothing is trained: records and printed numbers are shown.")
    )

# %% [markdown]
# ## Result: Figure 7, final values

# %%
figure_7 = [
    row for row in cells(rows, "Figure 7", "psnr") if row.kind == "measured"
]
printed = {row.experiment: float(row.published) for row in figure_7}
published = {
    place: printed[name] for place, name in networks.items() if name in printed
}
points = sweep(networks, published, "Set5", 3, "drrn", fresh)

# %%
figure = sweep_figure(
    points,
    "recursions K",
    RECURSIONS,
    {LARGE: COLOURS["rlcsc"], SMALL: COLOURS["vdsr"]},
)
show(figure, "fig-rlcsc-recursion", points, **FIGURES["fig-rlcsc-recursion"])

# %%
table(sweep_table(points, "K"), "PSNR on Set5 ×3 (dB), protocol drrn")

# %% [markdown]
# ## Result: Figure 7, the curves
#
# Training is followed on held-out images, never on a test set, so our curves are not Set5's: they show how fast a network learns.

# %%
experiment_of = {f"{size}, K = {K}": name for (size, K), name in networks.items()}
experiment_of["K = 5, the CPU's"] = "rlcsc_k5_n32_m32"
figure = curve_figure(
    curves(experiment_of),
    {series: f"C{k}" for k, series in enumerate(experiment_of)},
)
show(figure, "fig-rlcsc-curves", **FIGURES["fig-rlcsc-curves"])

# %% [markdown]
# ## The claims of order

# %%
display(Markdown(orders("rlcsc", ("Figure 7", "Figure 8", "Section 5.4"))))

# %% [markdown]
# ## What we learned

# %%
display(
    Markdown(
        summary(row for row in rows if row.where in ("Figure 7", "Figure 8"))
    )
)

# %% [markdown]
# * Depth is K + 5 and the two sizes are 1,329k and 592k as printed: counted above, and only if the convolutions have no biases.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/rlcsc_recursion.ipynb results/runs/rlcsc_recursion.ipynb -p train True`
#
# Two narrow networks with K = 15.
# `-p experiments rlcsc_k15,rlcsc_k48 -p budget 1 -p device cuda` trains the paper's.
# In the book, the box below the question says what each costs.
# ```
