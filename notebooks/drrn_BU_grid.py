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
# # DRRN, Figure 6: the grid of B and U
#
# **Question.** DRRN has two dials: B recursive blocks, and U residual units that share their weights in each block.
# Does turning either one up help ("deeper is still better"), and does only the depth count, or also how it is reached?
#
# The depth is $d = (1 + 2U)B + 1$ (Eq. 7). Parameters grow with B alone, because a block's units share theirs.
# The text names ten structures and colours the grid by the PSNR on Set5 at ×3; we add B1U9, which Table 2 has.

# %% tags=["parameters", "hide-input"]
train: bool = False  # True: train here and now; False: show the records
budget: float = 0.15  # fraction of the recipe's iterations
seed: int = 0  # of weights, patch order and augmentation
device: str = "auto"  # cpu, cuda or auto
B: list[int] = [1, 2]  # recursive blocks; each is combined with each U
U: list[int] = [1, 3]  # residual units a block
width: int = 16  # filters: 128 as in the paper, fewer for a CPU
experiments: list[str] = []  # networks by name, in place of B, U and width
data: str = ""  # training set or folder; default: the experiment's
runs: str = ""  # records of this run; default: below results/runs

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
from itertools import product

import pandas as pd
from IPython.display import Markdown, display

from srlib.figures.comparisons import difference_figure, difference_table
from srlib.figures.grid import (
    grid_figure,
    grid_panels,
    grid_points,
    grid_summary,
    structure_name,
    structure_sweep,
)
from srlib.figures.orderings import orders
from srlib.figures.style import COLOURS, show, table, use_style
from srlib.figures.sweeps import sweep_figure, sweep_table
from srlib.models import params
from srlib.papers import get_experiment
from srlib.papers.drrn import experiment
from srlib.papers.orderings import ORDERS
from srlib.records.run import rerun

use_style()

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-bu-grid": {
        "caption": (
            "DRRN's Figure 6 regenerated. Colour: PSNR on Set5 ×3; dashed: equal depth. Hollow squares: the points that "
            "the paper's text and tables state (the others are only in its image). Circles: means of committed records. "
            "Diamonds: this run."
        ),
        "alt": (
            "Two panels with the number of residual units U across and the number of recursive blocks B upwards. Each "
            "trained structure is a point coloured by PSNR; dashed curves mark equal depth. The first panel holds "
            "networks of 128 filters, the others narrow ones."
        ),
    },
    "fig-bu-depth": {
        "caption": (
            "PSNR on Set5 ×3 against depth, by the dial that is turned. Hollow: printed. Filled: means of our records, "
            "with their intervals; dashes: single seeds."
        ),
        "alt": (
            "PSNR against depth in a panel for each size of network. Three curves, one for each way of making a network "
            "deeper, and a single point for the structure of 17 blocks."
        ),
    },
    "fig-bu-differences": {
        "caption": (
            "Differences between the structures that claims of Figures 1 and 6 compare, on Set5 ×3. Filled: ours, with "
            "intervals. Hollow: as printed, where both numbers are."
        ),
        "alt": (
            "For each pair of structures a point with a horizontal interval at the difference of their PSNR, grouped by "
            "claim, with a vertical line at zero."
        ),
    },
}

# %% [markdown]
# ## Method
#
# `srlib.models.drrn` is the network, `srlib.papers.drrn` the recipe.
# The `fast` recipe keeps the architecture, the data and the loss (Eq. 10) and replaces SGD's four days by Muon and AdamW, on larger patches and with a cosine
# schedule; `budget` scales its iterations. {ref}`The chapter <drrn-recipes>` lists every setting that differs.
# Narrow variants (16 filters in place of 128, T91 alone, ×3 alone) make the experiment small enough for two CPU cores.
# Their level is not the paper's, so they have a panel of their own, and what holds for them need not hold for the paper's networks.

# %%
structures = [get_experiment(name) for name in experiments] or [
    experiment(b, u, width) for b, u in product(B, U)
]
rows = []
for structure in structures:
    network = structure.make()
    rows.append(
        {
            "experiment": structure.name,
            "depth d": network.depth,
            "convolution weights": params(network),
        }
    )
table(pd.DataFrame(rows), "The structures of this run")

# %% [markdown]
# ## Code: training
#
# One call for each structure; a killed run goes on where it stopped when the same command is given again.

# %%
names = [structure.name for structure in structures]
options = {
    "seed": seed,
    "budget": budget,
    "device": device,
    "data": data,
    "runs": runs,
}
fresh = rerun(names, "drrn_BU_grid", **options) if train else None
if fresh:
    display(table(fresh.table(), "This run"))
else:
    display(
        Markdown("Nothing is trained: records and printed numbers are shown.")
    )

# %% [markdown]
# ## Result: Figure 6

# %%
new_structures = (
    [(s.arguments["B"], s.arguments["U"]) for s in structures] if fresh else []
)
points = grid_points(new_structures, fresh)
panels = grid_panels(points)
show(grid_figure(points, panels), "fig-bu-grid", points, **FIGURES["fig-bu-grid"])

# %% [markdown]
# Depth against PSNR shows the same points along one line: if only depth counts, the three curves fall on each other.
# Small dashes are single seeds. Bars are 95 % intervals of the means over seeds, from the scatter of the seeds of a panel's networks of like depth.

# %%
CURVES = {
    "B turned, U = 3": [(b, 3) for b in (1, 2, 3, 4)],
    "U turned, B = 3": [(3, u) for u in (1, 2, 3, 4, 8)],
    "U turned, B = 1": [(1, u) for u in (3, 9, 25)],
    "B17U1": [(17, 1)],
}
colours = dict(
    zip(
        CURVES,
        (COLOURS["drrn"], COLOURS["vdsr"], COLOURS["dsrn"], "0.3"),
        strict=True,
    )
)
along_depth = structure_sweep(CURVES, fresh)
along_depth = along_depth[along_depth.panel.isin(panels)]

# %%
depth_figure = sweep_figure(
    along_depth, "depth d (convolutions)", (8, 15, 22, 29, 52), colours
)
show(depth_figure, "fig-bu-depth", along_depth, **FIGURES["fig-bu-depth"])

# %%
psnr_table = sweep_table(points[points.panel.isin(panels)], "depth")
table(
    psnr_table, "PSNR on Set5 ×3 (dB) under the drrn protocol: published and ours"
)

# %% [markdown]
# ## The claims of order
#
# Below each pair of structures that a claim compares, at equal length and data, with two intervals: over the choice of seeds, which
# {ref}`decides <decision-rule>`, and over that of the test images. The mean over a claim's pairs has one as wide as a single pair's, since
# runs of one seed see the same patches. *Comparable* is a difference within ±0.05 dB.

# %%
CLAIMS = {
    "deeper is better": ORDERS["drrn.f6.order.deeper"],
    "comparable at like depth": ORDERS["drrn.f6.order.same_depth"],
    "comparable at 52 layers": ORDERS["drrn.f6.order.three_alike"],
    "more recursions are better": ORDERS["drrn.f1.order.b1u25"],
}


def pair_name(difference):
    """The two structures as the paper writes them."""
    return f"{structure_name(difference.better)} − {structure_name(difference.worse)}"


# %%
differences = difference_table(CLAIMS, "drrn", pair_name)
show(
    difference_figure(CLAIMS, "drrn", pair_name),
    "fig-bu-differences",
    differences,
    **FIGURES["fig-bu-differences"],
)

# %%
table(
    difference_table(CLAIMS, "drrn", pair_name, ("Set5", "Set14")),
    "Differences of PSNR at ×3 (dB): ± half the 95 % interval over seeds, and the interval over images",
)

# %%
display(Markdown(orders("drrn", ("Figure 6",))))

# %% [markdown]
# ## What we learned

# %%
comparable = [
    CLAIMS["comparable at like depth"],
    CLAIMS["comparable at 52 layers"],
]
display(Markdown(grid_summary(points, panels, comparable)))

# %% [markdown]
# * The full-width structures of the figure stand as *not run* above until they have been trained; nothing here fills them in.
# * In a narrow network weights are scarce, and blocks bring weights while units do not. So that blocks help more than units says
#   little about depth. The paper's own pair at like depth, B2U3 and B3U2, is one of different weights, too.
# * After so few iterations the deepest networks are the furthest from what they could learn.
# * At 128 filters the parameter counts are the paper's where it states them, but for B2U3: counted as the others are, it has 740K.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/drrn_BU_grid.ipynb results/runs/drrn_BU_grid.ipynb -p train True -p B 1,2 -p U 1,3`
#
# Four narrow networks; `-p budget 0.01` makes them a smoke test.
# `-p experiments drrn_b3u2,drrn_b3u3 -p budget 1 -p device cuda` trains networks of the paper's size.
# In the book, the box below the question says what each costs.
# ```
