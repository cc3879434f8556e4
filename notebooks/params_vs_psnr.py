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
# # PSNR against parameters: four papers, one table
#
# **Question.** Every paper draws its own plot of PSNR against model size, and each is best in it. What is left when all stand in one?
#
# DRRN's Figures 1 and 9, DSRN's Figure 6, RL-CSC's Figure 1 and DRN's Figure 2 from one table: sizes counted on the networks, PSNR as printed
# and as we trained it.

# %% tags=["parameters"]
train: bool = False  # unused here: the tables' notebooks train
budget: float = 1.0  # unused here
seed: int = 0  # unused here
device: str = "auto"  # unused here

# %%
from srlib.parameters import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import pandas as pd

from srlib.figures import COLOURS, label_points, show, table, use_style
from srlib.ledger import find_ours
from srlib.models import MODELS, outline, params
from srlib.papers import PAPERS, TITLES, claims

use_style()

# %% [markdown]
# ## Method
#
# A size is the number of convolution weights, the papers' own count.
# RED30, in two of the figures, is not a network of this book; its size follows from the ratio that DRRN prints, and it is left out where the
# text gives no PSNR. What only the images show (SRCNN's and other points without a number in the text) is taken from the tables where they have it.


# %% tags=["hide-input"]
def points(dataset: str, scale: int) -> pd.DataFrame:
    """Networks that we can count, with the printed and our PSNR on one set at one scale."""
    found = []
    for paper in PAPERS:
        for claim in claims(paper):
            here = (claim.dataset, claim.scale, claim.metric) == (dataset, scale, "psnr") and claim.where.startswith("Table")
            if here and claim.kind in ("measured", "quoted") and claim.experiment in MODELS and "epoch" not in claim.id:
                network = outline(MODELS[claim.experiment])
                ours = find_ours(claim, claim.protocol or {"drn": "rgb_floaty", "dsrn": "lapsrn"}.get(paper, "drrn"))
                found.append({"network": claim.experiment, "weights": params(network), "depth": network.depth, "printed in": TITLES[paper],
                              "where": claim.where, "published": float(claim.value), "ours": ours.value if ours else None,
                              "budget": ours.budget if ours else None, "own": claim.kind == "measured"})  # fmt: skip
    return pd.DataFrame(found)


FAMILY = {
    "drrn": COLOURS["drrn"],
    "dsrn": COLOURS["dsrn"],
    "rlcsc": COLOURS["rlcsc"],
    "drn": COLOURS["drn"],
    "vdsr": COLOURS["vdsr"],
}


LABELS = {"drrn_b1u9": "DRRN_B1U9", "drrn_b1u25": "DRRN_B1U25", "dsrn_t7_x3": "DSRN", "rlcsc_k25": "RL-CSC", "drn_x3": "DRN",
          "drn_plus_x3": "DRN+", "vdsr": "VDSR", "drcn": "DRCN", "srcnn": "SRCNN"}  # fmt: skip


def colour_of(name: str) -> object:
    return FAMILY.get(name.split("_")[0], "0.4")


def draw(axes, frame: pd.DataFrame, x: str, place: str) -> None:
    """Published points hollow, ours filled, a line between the two; one label a network."""
    labels = {}
    for name, group in frame.groupby("network", sort=False):
        first = group.iloc[0]
        axes.plot(
            group[x], group.published, "o", markerfacecolor="none", markeredgewidth=2, markersize=9, color=colour_of(name)
        )
        if pd.notna(first.ours):
            axes.plot([first[x]] * 2, [first.published, first.ours], "-", linewidth=1, color=colour_of(name))
            axes.plot(first[x], first.ours, "o", markersize=6, color=colour_of(name))
        labels[LABELS.get(name, name)] = (first[x], group.published.max())
    axes.set(
        xscale="log" if x == "weights" else "linear",
        xlabel="convolution weights" if x == "weights" else "depth (convolutions)",
        ylabel=f"PSNR on {place} (dB)",
    )
    axes.margins(0.2, 0.12)
    axes.figure.canvas.draw()
    label_points(axes, labels)


# %% [markdown]
# ## Result: Set5 ×3 (DRRN Figure 1, RL-CSC Figure 1)

# %% mystnb={"figure": {"name": "fig-size-set5-x3", "caption": "PSNR on Set5 ×3 against convolution weights: DRRN's and RL-CSC's Figure 1 in one plot. Hollow: as printed, by whichever paper; filled: ours; a line joins the two."}, "image": {"alt": "Scatter plot of PSNR on Set5 at scale 3 against the number of convolution weights on a logarithmic axis, for SRCNN, VDSR, DRCN, DRRN, RL-CSC, DSRN, DRN and DRN+. Larger networks trained on more images stand higher; DRRN is the smallest of the deep ones."}} tags=["hide-input"]
set5 = points("Set5", 3)
main = set5[~set5.network.str.contains("_ns_|_c_|_d\\d+|_epoch|_plain|drrn_b[234]|drrn_b17|k15|k20", regex=True)]
figure, ax = plt.subplots(figsize=(8, 4.6), layout="constrained")
draw(ax, main, "weights", "Set5 ×3")
show(figure, "fig-size-set5-x3", main)

# %% tags=["hide-input"]
shown = main.drop(columns="own").sort_values("published").assign(weights=main.weights.map("{:,}".format))
for column, digits in (("published", ".2f"), ("ours", ".2f"), ("budget", ".2g")):
    shown[column] = [f"{value:{digits}}" if pd.notna(value) else "–" for value in shown[column]]
table(shown, "Set5 ×3: every network whose size we can count, as each paper prints it")

# %% [markdown]
# The same network often has several printed PSNRs, one for each paper that quotes it under its own protocol.

# %% [markdown]
# ## Result: depth (DRRN Figure 9)
#
# Figure 9 sets deep against shallow methods of three years on Set5 and Set14; most of its points are methods without a network that we
# have. Those that we have, against depth:

# %% mystnb={"figure": {"name": "fig-depth", "caption": "PSNR at ×3 against depth on Set5 and Set14 (DRRN's Figure 9, the part with networks of this book). Hollow: as printed; filled: ours."}, "image": {"alt": "Two scatter plots of PSNR at scale 3 against the number of convolutions, on Set5 and Set14. PSNR rises from 3 layers (SRCNN) to 20 (VDSR, DRCN, DRRN B1U9) and less to 52 (DRRN B1U25)."}} tags=["hide-input"]
figure, axes_of = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained")
deep = {}
for axes, dataset in zip(axes_of, ("Set5", "Set14"), strict=True):
    frame = points(dataset, 3)
    known = frame.network.isin(["srcnn", "vdsr", "drcn", "drrn_b1u9", "drrn_b1u25"])
    deep[dataset] = frame[known & (frame["printed in"] == "DRRN")]
    draw(axes, deep[dataset], "depth", f"{dataset} ×3")
show(figure, "fig-depth", pd.concat(deep, names=["dataset"]).reset_index("dataset"))

# %% tags=["hide-input"]
shallow = [
    c for c in claims("drrn") if c.where == "Table 2" and (c.scale, c.metric) == (3, "psnr") and c.dataset in ("Set5", "Set14")
]
rows = {}
for c in shallow:
    rows.setdefault(c.method, {"method": c.method})[f"{c.dataset} ×3, printed (dB)"] = c.value
table(pd.DataFrame(rows.values()), "Deep and shallow methods as DRRN's Table 2 prints them")

# %% [markdown]
# ## Result: Set14 ×3 (DSRN Figure 6)

# %% mystnb={"figure": {"name": "fig-size-set14-x3", "caption": "PSNR on Set14 ×3 against convolution weights: DSRN's Figure 6. Hollow: as DSRN's Table 1 prints them; filled: ours."}, "image": {"alt": "Scatter plot of PSNR on Set14 at scale 3 against the number of convolution weights, with the numbers of DSRN's Table 1. DSRN stands at 30.26 decibels, above DRRN at 29.96, with three times the weights."}} tags=["hide-input"]
set14 = points("Set14", 3)
set14 = set14[set14["printed in"] == "DSRN"]
figure, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
draw(ax, set14, "weights", "Set14 ×3")
show(figure, "fig-size-set14-x3", set14)

# %% [markdown]
# This is the one set and scale at ×3 on which DSRN's printed PSNR is above DRRN's, and a tenth of a decibel of it is the protocol ({doc}`dsrn_tables`).

# %% [markdown]
# ## Result: Set5 ×4 (DRN Figure 2)
#
# The values of DRN at ×4 are in the paper's image only: its Table 3 holds ×3 alone in the text that we have. Sizes can be counted:

# %% tags=["hide-input"]
rows = []
for name in ("srcnn", "vdsr", "drcn", "drrn_b1u25", "dsrn_t7_x4", "rlcsc_k25", "drn_x4", "drn_plus_x4"):
    rows.append({"network": name, "weights": f"{params(outline(MODELS[name])):,}"})
sizes = pd.DataFrame(rows)
four = points("Set5", 4)
printed_of = {
    name: ", ".join(f"{p:.2f} ({w})" for p, w in zip(g.published, g["printed in"], strict=True))
    for name, g in four.groupby("network")
}
ours_of = {name: g.ours.dropna().iloc[0] for name, g in four.groupby("network") if g.ours.notna().any()}
sizes["Set5 ×4, printed (dB)"] = [printed_of.get(name, "only in the image") for name in sizes.network]
sizes["ours (dB)"] = [f"{ours_of[name]:.2f}" if name in ours_of else "not attempted" for name in sizes.network]
table(sizes, "DRN, Figure 2: sizes at ×4")

# %% [markdown]
# ## What we learned
#
# * Sizes are exact and agree with the printed ones but for one ({doc}`/models`); PSNR is comparable only within one protocol and one training set.
# * DRN was trained on 800 large images, DRRN and RL-CSC on 291 small ones, DSRN on 91: a plot of PSNR against size mixes data with
#   architecture.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/params_vs_psnr.ipynb results/runs/params_vs_psnr.ipynb`
# ```
