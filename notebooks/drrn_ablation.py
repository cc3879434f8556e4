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
# # DRRN, Figure 8 and Table 4: which component helps
#
# **Question.** What do local residuals, shared weights and the common input of all residuals ("multi-path") add to a plain deep network?
#
# Figure 8's caption names four structures at three depths; Table 4 prints five at the largest depth. We train five at three.
# VDSR here is a plain network with batch normalisation, 128 filters wide, so that it has as many weights as DRRN without sharing (NS).

# %% tags=["parameters", "hide-input"]
train: bool = False  # True: train here and now; False: show the records
budget: float = 0.15  # fraction of the recipe's iterations
seed: int = 0  # of weights, patch order and augmentation
device: str = "auto"  # cpu, cuda or auto
experiments: list[str] = [
    "vdsr_bn_d16_w16",
    "drrn_ns_b3u2_w16",
    "drrn_b3u2_w16",
]  # what is trained
data: str = ""  # training set or folder; default: the experiment's
runs: str = ""  # records of this run; default: below results/runs

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
import pandas as pd
from IPython.display import Markdown, display

from srlib.figures.comparisons import (
    curve_figure,
    curves,
    difference_figure,
    difference_table,
)
from srlib.figures.grid import components_summary
from srlib.figures.orderings import orders
from srlib.figures.style import COLOURS, show, table, use_style
from srlib.figures.sweeps import depth_of, sweep, sweep_figure, sweep_table
from srlib.figures.tables import cells, results_table
from srlib.figures.text import summary
from srlib.ledger.comparisons import full_size_name
from srlib.ledger.rows import ledger
from srlib.models import MODELS, meta_model, params
from srlib.papers.orderings import ORDERS, Order
from srlib.records.run import rerun

use_style()

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-drrn-components": {
        "caption": (
            "DRRN's Figure 8 regenerated: PSNR on Set5 ×3 against depth for five structures. Hollow: Table 4's values at "
            "the largest depth (the others are only in the paper's image). Filled: our records; diamonds: this run."
        ),
        "alt": (
            "PSNR on Set5 at scale 3 against depth 16, 22 and 28 for a plain network and four kinds of residual networks."
            " Printed values exist at depth 28 only; ours are added as they are trained."
        ),
    },
    "fig-drrn-curves": {
        "caption": (
            "Learning curves of the five structures at the largest depth: PSNR on held-out images, by the average of the "
            "weights. Thick: mean of the seeds; thin: single ones."
        ),
        "alt": (
            "PSNR on ten held-out crops against training iterations, one colour for each of the five structures at depth 28."
        ),
    },
    "fig-drrn-parts": {
        "caption": (
            "What each component adds at equal depth, on Set5 ×3. Filled: ours, with intervals. Hollow: as printed in Table 4."
        ),
        "alt": (
            "For each pair of structures a point with a horizontal interval at the difference of their PSNR, grouped by "
            "claim, with a vertical line at zero. Printed differences stand as hollow squares at the largest depth."
        ),
    },
}

# %% [markdown]
# ## Method
#
# | structure | local residual | recursive | multi-path |
# |---|---|---|---|
# | VDSR | no | no | no |
# | NS_C | yes | no | no |
# | NS | yes | no | yes |
# | C | yes | yes | no |
# | DRRN | yes | yes | yes |
#
# NS: weights *not shared*. C: *chain*, where each unit adds its own input (Eq. 3) and not the block's first value (Eq. 5). NS_C: both.
# Table 4 heads its second and its fourth column alike; the ticks say that the fourth is the recursive chain, C.
#
# The paper tests local residuals by NS against VDSR (Section 4.5). These differ in multi-path, too: NS_C against VDSR changes local
# residuals alone.
#
# Equal depth is counted on the networks, not assumed:

# %%
SERIES = {
    "VDSR": [f"vdsr_bn_d{depth}_w128" for depth in (16, 22, 28)],
    "NS_C": [f"drrn_ns_c_b3u{U}" for U in (2, 3, 4)],
    "NS": [f"drrn_ns_b3u{U}" for U in (2, 3, 4)],
    "C": [f"drrn_c_b3u{U}" for U in (2, 3, 4)],
    "DRRN": [f"drrn_b3u{U}" for U in (2, 3, 4)],
}

# %%
sizes = []
for structure, names in SERIES.items():
    for name in names:
        network = meta_model(MODELS[name])
        sizes.append(
            {
                "structure": structure,
                "experiment": name,
                "depth": network.depth,
                "weights": f"{params(network):,}",
            }
        )
table(pd.DataFrame(sizes), "The fifteen networks of Figure 8")

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
fresh = rerun(experiments, "drrn_ablation", **options) if train else None
if fresh:
    display(table(fresh.table(), "This run"))
else:
    display(
        Markdown("Nothing is trained: records and printed numbers are shown.")
    )

# %% [markdown]
# ## Result: Figure 8

# %%
table_4 = cells(ledger(("drrn",)), "Table 4")
columns = dict(
    zip(("vdsr", "drrn_ns_c", "drrn_ns", "drrn_c", "drrn"), SERIES, strict=True)
)  # of Table 4
printed = {
    columns[row.id.removeprefix("drrn.t4.")]: float(row.published)
    for row in table_4
}

# %%
experiment_at = {
    (structure, depth_of(name)): name
    for structure, names in SERIES.items()
    for name in names
}
depths = sorted({depth for _, depth in experiment_at})
published = {(structure, depths[-1]): psnr for structure, psnr in printed.items()}
points = sweep(experiment_at, published, "Set5", 3, "drrn", fresh)

# %%
colours = {
    "VDSR": COLOURS["vdsr"],
    "NS_C": "C9",
    "NS": COLOURS["dsrn"],
    "C": COLOURS["rlcsc"],
    "DRRN": COLOURS["drrn"],
}
components_figure = sweep_figure(
    points, "depth d (convolutions)", depths, colours
)
show(
    components_figure,
    "fig-drrn-components",
    points,
    **FIGURES["fig-drrn-components"],
)

# %%
table(sweep_table(points, "depth"), "PSNR on Set5 ×3 (dB), protocol drrn")

# %% [markdown]
# ## Result: Table 4

# %%
results_table(
    table_4,
    "DRRN, Table 4: PSNR (dB) at B = 3, U = 4",
    line=lambda row: (f"{row.dataset} ×{row.scale}",),
    column=lambda row: columns[row.id.removeprefix("drrn.t4.")],
    heads=("",),
)

# %% [markdown]
# ## How fast they learn
#
# The paper says that the multi-path mode "facilitates the learning" (Section 3.1). If so, the curve of DRRN should rise earlier than
# that of C, and NS earlier than NS_C. At the largest depth, on held-out images, never on a test set:

# %%
learning = curves({structure: names[-1] for structure, names in SERIES.items()})
show(
    curve_figure(learning, colours),
    "fig-drrn-curves",
    learning,
    **FIGURES["fig-drrn-curves"],
)

# %% [markdown]
# ## The claims of order
#
# Each pair of structures that a claim compares, at equal depth, length and data, with two intervals: over the choice of seeds, which
# {ref}`decides <decision-rule>`, and over that of the test images.
# The mean over a claim's pairs has one as wide as a single pair's, since runs of one seed see the same patches and share their luck.
# For "comparable or even better" that side starts at −0.05 dB. The last two groups are cleaner comparisons, which the paper does not make.

# %%
CLAIMS = {
    "local residuals help": ORDERS["drrn.f8.order.local_residuals"],
    "shared weights do not hurt": ORDERS["drrn.f8.order.recursive"],
    "multi-path beats the chain": ORDERS["drrn.f8.order.multi_path"],
    "each part beats the baseline": ORDERS["drrn.t4.order.parts"],
    # which the paper does not compare
    "local residuals alone": Order(
        tuple(zip(SERIES["NS_C"], SERIES["VDSR"], strict=True))
    ),
    "multi-path, nothing shared": Order(
        tuple(zip(SERIES["NS"], SERIES["NS_C"], strict=True))
    ),
}


# %%
def pair_name(difference):
    """The two structures as the paper writes them, and their depth."""
    places = {name: place for place, name in experiment_at.items()}
    (better, depth), (worse, _) = (
        places[full_size_name(name)]
        for name in (difference.better, difference.worse)
    )
    return f"{better} − {worse}, d = {depth}"


differences = difference_table(CLAIMS, "drrn", pair_name)
if differences.empty:
    display(Markdown("No two of these networks have been trained alike yet."))
else:
    show(
        difference_figure(CLAIMS, "drrn", pair_name),
        "fig-drrn-parts",
        differences,
        **FIGURES["fig-drrn-parts"],
    )

# %%
table(
    difference_table(CLAIMS, "drrn", pair_name, ("Set5", "Set14")),
    "Differences of PSNR at ×3 (dB): ± half the 95 % interval over seeds, and the interval over images",
)

# %%
display(Markdown(orders("drrn", ("Figure 8", "Table 4", "Section 4.5"))))

# %% [markdown]
# ## What we learned

# %%
display(Markdown(summary(table_4)))

# %%
display(Markdown(components_summary(points, printed, CLAIMS)))

# %% [markdown]
# * The paper reports one number for each structure, which says little about the order of structures that close.
# * Sharing trades weights for recursions. With 16 filters weights are what is scarce; with 128 filters and 291 images it may be the
#   images, which is the paper's reason for sharing ("less prone to overfitting"). So a narrow network that loses by sharing says
#   nothing against the paper's. Our runs do not even see their 91 images long enough to overfit.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/drrn_ablation.ipynb results/runs/drrn_ablation.ipynb -p train True`
#
# Three narrow networks. The paper's are `drrn_ns_b3u4` and so on (`python -m srlib list`).
# In the book, the box below the question says what each costs.
# ```
