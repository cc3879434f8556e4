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
# DRRN's Figure 1, DSRN's Figure 6, RL-CSC's Figure 1 and DRN's Figure 2 from one table: sizes counted on the networks, PSNR as printed
# and as we trained it. DRRN's Figure 9, PSNR against years, stands here too.

# %% tags=["parameters"]
train: bool = False  # unused here: the tables' notebooks train
budget: float = 1.0  # unused here
seed: int = 0  # unused here
device: str = "auto"  # unused here

# %%
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from srlib.papers.checks.drn_contradictions import edsr_x4

from srlib.figures.style import COLOURS, label_points, show, table, use_style
from srlib.figures.tables import NAMES
from srlib.ledger.rows import find_ours, protocols_of
from srlib.models import MODELS, meta_model, params
from srlib.papers import EXPERIMENTS, PAPERS, TITLES, claims, printed
from srlib.papers.checks.drrn import RED30
from srlib.records.scores import percent, runs

use_style()

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-size-set5-x3": {
        "caption": (
            "PSNR on Set5 ×3 against convolution weights: DRRN's and RL-CSC's Figure 1 in one plot, with DSRN and DRN "
            "beside. Hollow: as printed, by whichever paper; filled: ours; a line joins the two. Layers in brackets, as "
            "RL-CSC has them. MemNet, CSCN and ESPCN stand in the papers' images, but no text gives their size."
        ),
        "alt": (
            "Scatter plot of PSNR on Set5 at scale 3 against the number of convolution weights on a logarithmic axis, for"
            " SRCNN, VDSR, DRCN, RED30, DRRN, RL-CSC with 25 and 48 recursions, DSRN, DRN and DRN+. DRRN is the smallest "
            "of the deep ones, RED30 fourteen times its size and lower. RL-CSC gains 0.05 decibels from 25 to 48 "
            "recursions at the same size. DRN and DRN+, trained on more images, stand highest."
        ),
    },
    "fig-deep-shallow": {
        "caption": (
            "DRRN's Figure 9: PSNR at ×3 of shallow, deep and very deep methods by year, on Set5 and Set14. Hollow: as "
            "printed, by DRRN or, for A+, CSCN and FSRCNN, by DSRN or DRN; filled: ours. B1U9 and B1U25 are DRRN's. The "
            "place within a year only keeps the points apart. Five methods of the figure have no number in the texts; "
            "RED30 has none on Set14."
        ),
        "alt": (
            "Two scatter plots of PSNR at scale 3 against the year of publication, on Set5 and Set14. Squares are shallow"
            " methods, triangles networks of up to 8 layers, circles networks of 20 and more. Shallow methods of 2014 and"
            " 2015 lie at about 32.5 decibels on Set5, SRCNN and FSRCNN of 2016 up to 0.7 above, and the very deep ones, "
            "VDSR, DRCN, RED30 and DRRN, at 33.7 to 34.0."
        ),
    },
    "fig-size-set14-x3": {
        "caption": (
            "PSNR on Set14 ×3 against convolution weights: DSRN's Figure 6. Hollow: as DSRN's Table 1 prints them; "
            "filled: ours. RED30, in the paper's image, has no PSNR on Set14 in any of the texts."
        ),
        "alt": (
            "Scatter plot of PSNR on Set14 at scale 3 against the number of convolution weights, with the numbers of "
            "DSRN's Table 1. DSRN stands at 30.26 decibels, above DRRN at 29.96, with three times the weights."
        ),
    },
    "fig-size-set5-x4": {
        "caption": (
            "PSNR on Set5 ×4 against convolution weights: DRN's Figure 2. Hollow: as printed, by whichever paper; filled:"
            " ours. Dashed lines stand at the sizes of DRN, DRN+ and EDSR: their PSNR at ×4 is only in the paper's image,"
            " so the lines have no height. Layers in brackets."
        ),
        "alt": (
            "Scatter plot of PSNR on Set5 at scale 4 against the number of convolution weights on a logarithmic axis. "
            "SRCNN, VDSR, DSRN, DRCN, both DRRN and RL-CSC are points between 30.5 and 31.8 decibels. Vertical dashed "
            "lines without a value mark the sizes of DRN, about 2.1 million, DRN+, about 20 million, and EDSR, about 43 "
            "million."
        ),
    },
}

# %% [markdown]
# ## Method
#
# A size is the number of convolution weights, the papers' own count. A point is drawn where a text prints a PSNR and the size can be counted.
#
# * **SRCNN.** The printed numbers are those of its 9-5-5 network (57,184 weights), so that is the network whose size stands here.
# * **RED30** is not a network of this book. DRRN's text gives both of its numbers: its size follows from "14× fewer parameters" (thirty
#   convolutions of 128 filters), its PSNR from "0.21 dB" below DRRN_B1U25.
# * **No size in the four texts:** MemNet, CSCN (DSRN's SCN), ESPCN, LapSRN and others. They are not drawn but listed below each figure
#   where a text prints their PSNR.
# * **Ours** are our records, each at the share of training that it had. VDSR's are the authors' released weights, scored by us. A row is
#   "not run" where no record of ours is scored under that paper's protocol.


# %% tags=["hide-input"]
def points(dataset: str, scale: int) -> pd.DataFrame:
    """Every printed PSNR on one set at one scale with ours; `weights` and `depth` are empty where they cannot be counted."""
    found = []
    for paper in PAPERS:
        for claim in claims(paper):
            here = (claim.dataset, claim.scale, claim.metric) == (dataset, scale, "psnr")
            early = "_epoch" in claim.experiment  # half-way through a training
            if not here or early or claim.kind not in ("measured", "quoted") or claim.experiment == "bicubic":
                continue
            name = claim.experiment
            network = meta_model(MODELS[name]) if name in MODELS else None
            ours = next(filter(None, (find_ours(claim, protocol) for protocol in protocols_of(claim))), None)
            found.append({"network": name, "weights": params(network) if network else None, "depth": network.depth if network else None,
                          "printed in": TITLES[paper], "where": claim.where, "published": claim.number,
                          "ours": ours.value if ours else None, "training_fraction": ours.training_fraction if ours else None})  # fmt: skip
    frame = pd.DataFrame(found)
    for column in ("weights", "depth"):
        frame[column] = frame[column].astype("Int64")
    return frame.drop_duplicates(["network", "printed in", "published"], ignore_index=True)  # text and table say the same


def red30() -> pd.DataFrame:
    """RED30 on Set5 ×3, of what DRRN's Figure 1 and Section 1 say in words."""
    architecture, arguments = RED30
    network = meta_model(lambda: architecture(**arguments))
    psnr = round(printed("drrn.t2.set5.x3.drrn_b1u25.psnr") - printed("drrn.f1.gain.red30"), 2)
    row = {"network": "red30", "weights": params(network), "depth": network.depth, "printed in": "DRRN", "where": "Figure 1"}
    return pd.DataFrame([row | {"published": psnr}])


FAMILY = {
    "drrn": COLOURS["drrn"],
    "dsrn": COLOURS["dsrn"],
    "rlcsc": COLOURS["rlcsc"],
    "drn": COLOURS["drn"],
    "vdsr": COLOURS["vdsr"],
}


LABELS = NAMES | {"drrn_b1u9": "DRRN_B1U9", "drrn_b1u25": "DRRN_B1U25", "dsrn_t7_x3": "DSRN", "dsrn_t7_x4": "DSRN",
                  "rlcsc_k25": "RL-CSC, K = 25", "rlcsc_k48": "RL-CSC, K = 48", "drn_x3": "DRN", "drn_plus_x3": "DRN+", "drn_x4": "DRN",
                  "drn_plus_x4": "DRN+", "drcn": "DRCN", "srcnn_955": "SRCNN", "red30": "RED30", "edsr": "EDSR"}  # fmt: skip
STATES = [
    Line2D(
        [], [], marker="o", linestyle="", markerfacecolor="none", markeredgewidth=2, markersize=9, color="0.4", label="printed"
    ),
    Line2D([], [], marker="o", linestyle="", markersize=6, color="0.4", label="ours"),
]


def colour_of(name: str) -> object:
    return FAMILY.get(name.split("_")[0], "0.4")


def draw(axes, frame: pd.DataFrame, place: str) -> None:
    """Printed points hollow, ours filled, a line between the two; a vertical mark where a size has no printed PSNR."""
    labels, marks, lines = {}, [], []
    for name, group in frame.groupby("network", sort=False):
        first, colour = group.sort_values("ours").iloc[0], colour_of(name)  # one with ours, if any has
        label = LABELS.get(name, name) + (f" ({first.depth})" if pd.notna(first.depth) else "")
        if group.published.isna().all():
            axes.axvline(first.weights, color=colour, linestyle=(0, (4, 3)), linewidth=1.5, zorder=1)
            marks.append((first.weights, label, colour))
        else:
            axes.plot(
                group.weights, group.published, "o", markerfacecolor="none", markeredgewidth=2, markersize=9, color=colour
            )
            labels[label] = (first.weights, group.published.max())
        if pd.notna(first.ours):
            axes.plot([first.weights] * 2, [group.published.max(), first.ours], "-", linewidth=1, color=colour)
            lines += [(first.weights, height) for height in np.linspace(group.published.max(), first.ours, 60)]
            axes.plot(first.weights, first.ours, "o", markersize=6, color=colour)
            if first.training_fraction < 1:
                labels[f"{LABELS.get(name, name)}, {percent(first.training_fraction)} trained"] = (first.weights, first.ours)
    axes.set(xscale="log", xlabel="convolution weights", ylabel=f"PSNR on {place} (dB)")
    axes.margins(0.2, 0.12)
    axes.legend(handles=STATES, loc="upper left", frameon=True)
    heights = np.linspace(*axes.get_ylim(), 60)
    lines += [(weights, height) for weights, *_ in marks for height in heights]
    label_points(axes, labels, [line for line in lines if pd.notna(line[1])])
    for weights, label, colour in marks:
        axes.annotate(f"{label}: no PSNR in the text", (weights, 0.03), (-4, 0), xycoords=axes.get_xaxis_transform(), color=colour,
                      textcoords="offset points", rotation=90, ha="right", va="bottom", size="small")  # fmt: skip


def sizes_table(frame: pd.DataFrame, caption: str):
    """The points of a figure, a row for each paper that prints one."""
    shown = frame.sort_values("published").assign(weights=frame.weights.map("{:,}".format))
    shown["published"] = [f"{value:.2f}" if pd.notna(value) else "only in the image" for value in shown.published]
    shown["ours"] = [f"{value:.2f}" if pd.notna(value) else "not run" for value in shown.ours]
    shown["trained"] = [percent(value) if pd.notna(value) else "–" for value in shown.pop("training_fraction")]
    return table(shown, caption)


def unsized_table(frame: pd.DataFrame, caption: str):
    """Methods with a printed PSNR but a size that no text gives: not drawn."""
    rows = [
        {"method": LABELS.get(name, name), "printed (dB)": ", ".join(f"{p:.2f} ({w})" for p, w in zip(g.published, g["printed in"], strict=True))}
        for name, g in frame[frame.weights.isna()].groupby("network", sort=False)
    ]  # fmt: skip
    return table(pd.DataFrame(rows), caption)


# %% [markdown]
# ## Result: Set5 ×3 (DRRN Figure 1, RL-CSC Figure 1)

# %% tags=["hide-input"]
set5 = points("Set5", 3)
main = set5[~set5.network.str.contains("_ns_|_c_|_d\\d+|_plain|drrn_b[234]|drrn_b17|k15|k20", regex=True)]
sized = pd.concat([main.dropna(subset="weights"), red30()], ignore_index=True)
figure, ax = plt.subplots(figsize=(8.5, 5.2), layout="constrained")
draw(ax, sized, "Set5 ×3")
show(figure, "fig-size-set5-x3", sized, **FIGURES["fig-size-set5-x3"])

# %% tags=["hide-input"]
sizes_table(sized, "Set5 ×3: every network whose size we can count, as each paper prints it")

# %% [markdown]
# The same network often has several printed PSNRs, one for each paper that quotes it under its own protocol.

# %% tags=["hide-input"]
unsized_table(main, "Set5 ×3: methods with a printed PSNR whose size no text gives; not drawn")

# %% [markdown]
# SRMDNF's 24.12 is a misprint. ESPCN, in DRRN's Figure 1, has no number in any of the texts.

# %% [markdown]
# ## Result: three years (DRRN Figure 9)
#
# Figure 9 sets shallow, deep and very deep methods of 2014 to 2016 side by side. DRRN's text names the sixteen and their classes. The year
# of each is that of its reference in DRRN's own list; so SRCNN, first shown in 2014, stands at its journal version of 2016. DRRN is not in its
# own list: RL-CSC and DSRN cite it as of 2017. PSNR is DRRN's where it prints one, else that of another of the four papers.

# %% tags=["hide-input"]
# Name, experiment of its rows, and class by Section 4.5.
CLASSES = {"shallow": ("s", COLOURS["bicubic"]), "deep": ("^", COLOURS["vdsr"]), "very deep": ("o", COLOURS["drrn"])}
METHODS = [("A+", "a+", "shallow"), ("SelfEx", "selfex", "shallow"), ("RFL", "rfl", "shallow"), ("NBSRF", "nbsrf", "shallow"),
           ("PSyCo", "psyco", "shallow"), ("IA", "ia", "shallow"), ("SRCNN", "srcnn_955", "deep"), ("DJSR", "djsr", "deep"),
           ("CSCN", "scn", "deep"), ("ESPCN", "espcn", "deep"), ("FSRCNN", "fsrcnn", "deep"), ("VDSR", "vdsr", "very deep"),
           ("DRCN", "drcn", "very deep"), ("RED30", "red30", "very deep"), ("DRRN_B1U9", "drrn_b1u9", "very deep"),
           ("DRRN_B1U25", "drrn_b1u25", "very deep")]  # fmt: skip
OWN_YEAR = 2017  # DRRN's own, as DSRN and RL-CSC cite it
YEARS = {c.experiment: int(c.number) for c in claims("drrn") if c.id.startswith("drrn.f9.year.")}


def by_year(frame: pd.DataFrame) -> pd.DataFrame:
    """The points of Figure 9: DRRN's number where it prints one, else the other papers'."""
    found = []
    for name, experiment, kind in METHODS:
        group = frame[frame.network == experiment]
        own = group[group["printed in"] == "DRRN"]
        found += [
            {"method": name, "class": kind, "year": YEARS.get(experiment, OWN_YEAR)} | row
            for row in (own if len(own) else group)[["printed in", "where", "published", "ours", "training_fraction"]].to_dict(
                "records"
            )
        ]
    return pd.DataFrame(found)


def draw_years(axes, frame: pd.DataFrame, place: str) -> None:
    """Printed points hollow, ours filled; within a year the methods stand side by side, in order of their PSNR."""
    labels = {}
    for year, there in frame.groupby("year"):
        axes.axvspan(year - 0.5, year + 0.5, color="0.96" if year % 2 else "1", zorder=0)
        order = there.groupby("method").published.max().sort_values()
        for k, (name, best) in enumerate(order.items()):
            x = year + 0.7 * ((k + 0.5) / len(order) - 0.5) - 0.1
            group = there[there.method == name]
            first = group.sort_values("ours").iloc[0]
            marker, colour = CLASSES[first["class"]]
            axes.plot(
                [x] * len(group), group.published, marker, markerfacecolor="none", markeredgewidth=2, markersize=8, color=colour
            )
            if pd.notna(first.ours):
                axes.plot(x, first.ours, marker, markersize=5, color=colour)
            labels[name.removeprefix("DRRN_")] = (x, best)
    axes.set(xlim=(2013.5, 2017.5), xticks=range(2014, 2018), xlabel="year of the reference", ylabel=f"PSNR on {place} (dB)")
    axes.grid(visible=False, axis="x")
    axes.margins(y=0.12)
    label_points(axes, labels)


# %% tags=["hide-input"]
frames = {"Set5": pd.concat([set5, red30()], ignore_index=True), "Set14": points("Set14", 3)}
figure, axes_of = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
years = {}
for axes, (dataset, frame) in zip(axes_of, frames.items(), strict=True):
    years[dataset] = by_year(frame)
    draw_years(axes, years[dataset], f"{dataset} ×3")
hollow = {"linestyle": "", "markerfacecolor": "none", "markeredgewidth": 2, "markersize": 8}
handles = [Line2D([], [], marker=marker, color=colour, label=kind, **hollow) for kind, (marker, colour) in CLASSES.items()]
figure.legend(handles=[*handles, STATES[1]], loc="outside lower center", ncols=4, frameon=False)
show(figure, "fig-deep-shallow", pd.concat(years, names=["dataset"]).reset_index("dataset"), **FIGURES["fig-deep-shallow"])

# %% tags=["hide-input"]
rows = []
for name, experiment, kind in METHODS:
    row = {"method": name, "class": kind, "year": YEARS.get(experiment, OWN_YEAR)}
    for dataset, frame in years.items():
        here = frame[frame.method == name]
        values = [f"{p:.2f} ({w})" for p, w in zip(here.published, here["printed in"], strict=True)]
        row[f"{dataset} ×3, printed (dB)"] = ", ".join(values) or "only in the image"
    rows.append(row)
table(pd.DataFrame(rows), "The sixteen methods of DRRN's Figure 9")

# %% [markdown]
# CSCN is DSRN's SCN: both papers cite the same article for it. DRRN's classes: shallow methods are no networks, deep ones have at most 8 layers, very deep
# ones at least 20.

# %% [markdown]
# ## Result: Set14 ×3 (DSRN Figure 6)

# %% tags=["hide-input"]
set14 = frames["Set14"].dropna(subset="weights")
set14 = set14[set14["printed in"] == "DSRN"]
figure, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
draw(ax, set14, "Set14 ×3")
show(figure, "fig-size-set14-x3", set14, **FIGURES["fig-size-set14-x3"])

# %% [markdown]
# This is the one set and scale at ×3 on which DSRN's printed PSNR is above DRRN's, and a tenth of a decibel of it is the protocol ({doc}`dsrn_tables`).

# %% [markdown]
# ## Result: Set5 ×4 (DRN Figure 2)
#
# DRN's own PSNR at ×4 is only in the paper's image: its Table 3 holds ×3 alone in the text that we have. The sizes can be counted. DRN+'s follows
# from "54% fewer parameters compared with EDSR", which is counted from its structure. The other networks have a PSNR at ×4 in one of the four papers.

# %% tags=["hide-input"]
four = points("Set5", 4)
bare = []
for name in ("drn_x4", "drn_plus_x4"):
    network = meta_model(MODELS[name])
    found = (runs().find(name, "Set5", 4, "psnr", protocol) for protocol in EXPERIMENTS[name].protocols)
    ours = next(filter(None, found), None)
    bare.append({"network": name, "weights": params(network), "depth": network.depth, "ours": ours.value if ours else None,
                 "training_fraction": ours.training_fraction if ours else None})  # fmt: skip
bare.append({"network": "edsr", "weights": edsr_x4()})
bare = pd.DataFrame(bare).assign(**{"printed in": "DRN", "where": "Figure 2", "published": float("nan")})
sized = pd.concat([four.dropna(subset="weights"), bare], ignore_index=True)
sized["depth"] = sized.depth.astype("Int64")
figure, ax = plt.subplots(figsize=(8.5, 4.8), layout="constrained")
draw(ax, sized, "Set5 ×4")
show(figure, "fig-size-set5-x4", sized, **FIGURES["fig-size-set5-x4"])

# %% tags=["hide-input"]
sizes_table(sized, "DRN, Figure 2: sizes at ×4")

# %% tags=["hide-input"]
unsized_table(four, "Set5 ×4: methods with a printed PSNR whose size no text gives; not drawn")

# %% [markdown]
# ## What we learned
#
# * Sizes are exact and agree with the printed ones but for 784K, and 664K, which is cut off, not rounded ({doc}`/models`); PSNR is comparable only within one protocol and one training set.
# * DRN was trained on 800 large images, DRRN and RL-CSC on 291 small ones, DSRN on 91: a plot of PSNR against size mixes data with
#   architecture.
# * Recursions cost no weights: RL-CSC prints 0.05 dB more for 48 than for 25, DRRN 0.10 dB more for 25 units than for 9. A plot against size does
#   not show what they cost in time ({doc}`/speed`).
# * Each figure has points without a number in any text. We leave them out and say which they are.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/params_vs_psnr.ipynb results/runs/params_vs_psnr.ipynb`
# ```
