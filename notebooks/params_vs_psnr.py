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

# %%
import pandas as pd

from srlib.figures.sizes import (
    drn_x4_points,
    red30_point,
    size_figure,
    size_points,
    sizes_table,
    unsized_table,
    without_variants,
    year_figure,
    year_points,
    year_table,
)
from srlib.figures.style import show, use_style

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

# %% [markdown]
# ## Result: Set5 ×3 (DRRN Figure 1, RL-CSC Figure 1)

# %%
set5 = size_points("Set5", 3)
networks = without_variants(set5)
points_x3 = pd.concat(
    [networks.dropna(subset="weights"), red30_point()], ignore_index=True
)
show(
    size_figure(points_x3, "Set5 ×3", (8.5, 5.2)),
    "fig-size-set5-x3",
    points_x3,
    **FIGURES["fig-size-set5-x3"],
)

# %%
sizes_table(
    points_x3,
    "Set5 ×3: every network whose size we can count, as each paper prints it",
)

# %% [markdown]
# The same network often has several printed PSNRs, one for each paper that quotes it under its own protocol.

# %%
unsized_table(
    networks,
    "Set5 ×3: methods with a printed PSNR whose size no text gives; not drawn",
)

# %% [markdown]
# SRMDNF's 24.12 is a misprint. ESPCN, in DRRN's Figure 1, has no number in any of the texts.

# %% [markdown]
# ## Result: three years (DRRN Figure 9)
#
# Figure 9 sets shallow, deep and very deep methods of 2014 to 2016 side by side. DRRN's text names the sixteen and their classes. The year
# of each is that of its reference in DRRN's own list; so SRCNN, first shown in 2014, stands at its journal version of 2016. DRRN is not in its
# own list: RL-CSC and DSRN cite it as of 2017. PSNR is DRRN's where it prints one, else that of another of the four papers.

# %%
set14 = size_points("Set14", 3)
years = {
    "Set5": year_points(pd.concat([set5, red30_point()], ignore_index=True)),
    "Set14": year_points(set14),
}
year_numbers = pd.concat(years, names=["dataset"]).reset_index("dataset")
show(
    year_figure(years),
    "fig-deep-shallow",
    year_numbers,
    **FIGURES["fig-deep-shallow"],
)

# %%
year_table(years, "The sixteen methods of DRRN's Figure 9")

# %% [markdown]
# CSCN is DSRN's SCN: both papers cite the same article for it. DRRN's classes: shallow methods are no networks, deep ones have at most 8 layers, very deep
# ones at least 20.

# %% [markdown]
# ## Result: Set14 ×3 (DSRN Figure 6)

# %%
dsrn_table = set14[set14["printed in"] == "DSRN"].dropna(subset="weights")
show(
    size_figure(dsrn_table, "Set14 ×3", (8, 4.2)),
    "fig-size-set14-x3",
    dsrn_table,
    **FIGURES["fig-size-set14-x3"],
)

# %% [markdown]
# This is the one set and scale at ×3 on which DSRN's printed PSNR is above DRRN's, and a tenth of a decibel of it is the protocol ({doc}`dsrn_tables`).

# %% [markdown]
# ## Result: Set5 ×4 (DRN Figure 2)
#
# DRN's own PSNR at ×4 is only in the paper's image: its Table 3 holds ×3 alone in the text that we have. The sizes can be counted. DRN+'s follows
# from "54% fewer parameters compared with EDSR", which is counted from its structure. The other networks have a PSNR at ×4 in one of the four papers.

# %%
set5_x4 = size_points("Set5", 4)
points_x4 = pd.concat(
    [set5_x4.dropna(subset="weights"), drn_x4_points()], ignore_index=True
).astype({"depth": "Int64"})
show(
    size_figure(points_x4, "Set5 ×4", (8.5, 4.8)),
    "fig-size-set5-x4",
    points_x4,
    **FIGURES["fig-size-set5-x4"],
)

# %%
sizes_table(points_x4, "DRN, Figure 2: sizes at ×4")

# %%
unsized_table(
    set5_x4,
    "Set5 ×4: methods with a printed PSNR whose size no text gives; not drawn",
)

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
