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
# # DRN, Figures 1, 6, 7 and 8: crops of four images
#
# **Question.** Does DRN restore windows, lines and a word that other networks leave blurred?
#
# The paper shows `Image074` (Figure 1, ×4), `Image027` (Figure 6, ×3) and `Image059` (Figure 8, ×4) of Urban100, and `ppt3` of
# Set14 (Figure 7, ×4).
# Where the caption of Figure 1 says `Image074`, the text says "Image075".
# The caption is followed: the text speaks of texture on windows, and of the two only 074 is a facade of small panes.
# The text does not say beside which methods; those of its Table 3 are listed here.

# %% tags=["parameters", "hide-input"]
device: str = "auto"  # cpu, cuda or auto
others: list[str] = []  # more experiments, such as rlcsc_k25

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
from IPython.display import Markdown, display

from srlib.figures.crops import (
    describe,
    least_errors,
    scores_table,
    show_crops,
    styled_scores,
    view,
)
from srlib.figures.regions import REGIONS, grow_to_square
from srlib.figures.style import use_style
from srlib.training.devices import choose_device
from srlib.widgets.viewer import compare

use_style()

# %% [markdown]
# ## Method
#
# The test image is made small as the `rgb_floaty` protocol of `srlib.protocol` does, for all methods alike.
# It is the image that is scored.
# A network sees the rectangle and as much around it as its receptive field reaches, so the crop equals that of its output for
# the whole image.
# The paper does not name its protocol; this is the one of the code from which it descends.
# The protocol resizes RGB.
# DRN makes RGB of RGB. A luma network enlarges luma, and chroma is bicubic, as the papers do.
# PSNR and SSIM are of the luma of the whole image, with the border shaved, from the record where it holds them.
# Error maps show the absolute difference of luma to the original inside the rectangle, in grey levels, on one scale for the
# whole book.
# Crops are enlarged by whole factors, without smoothing.
#
# The papers' rectangles can be seen in their figures only, of which we have the captions.
# **The rectangles here are ours**, placed where the caption or the text points; the reason stands under each figure.

# %% [markdown]
# ## Code
#
# A method is a label and the experiment whose record is shown; the empty name stands for one that the paper shows and this
# project does not run.
# `view` finds the image (or a photograph that stands in), runs every method that has a record for this scale and cuts out 160
# pixels a side around the rectangle.
# The figure shows the rectangle, and the viewer below it (`compare`) the wider cut: drag the divider between two methods, and the
# rectangle to wherever you doubt us.

# %%
METHODS = {
    "Bicubic": "bicubic",
    "A+": "",
    "VDSR (released)": "vdsr_official",  # the weights of its authors
    "DRCN": "drcn",
    "LapSRN": "",
    "IDN": "",
    "SRMDNF": "",
    "MSRN": "",
    "DRN": "drn_x{scale}",
    "DRN+": "drn_plus_x{scale}",
    "DRN (other data)": "drn_x{scale}_standin",  # 491 smaller images
    "DRN (narrow)": "drn_x3_c32_g2_k3",  # 32 filters, trained on a CPU
}
METHODS |= {name: name for name in others}
views = [
    view(
        grow_to_square(region, 160), METHODS, "rgb_floaty", choose_device(device)
    )
    for region in REGIONS["drn"]
]

# %% [markdown]
# ## Result
#
# The published figures are images: they hold no number that the text gives, so there is none to stand beside ours.
# What each claims is quoted above our version of it.
# Bold is the best of the methods that are shown and scored here, not of all that the paper shows.

# %% [markdown]
# ### Windows: Image074, ×4
#
# > most methods can't recover texture on the windows. In contrast, our DRN can better alleviate blurring artifacts and recover
# > details

# %%
show_crops(views[0], "fig-drn-visual-img074", "DRN's Figure 1")

# %%
display(Markdown(describe(views[0])))

# %%
compare(views[0])

# %% [markdown]
# ### Lines: Image027, ×3
#
# > the DRN our proposed have accurately recoverd the lines.

# %%
show_crops(views[1], "fig-drn-visual-img027", "DRN's Figure 6")

# %%
display(Markdown(describe(views[1])))

# %%
compare(views[1])

# %% [markdown]
# ### A word: ppt3, ×4
#
# > although most methods have different degrees of blurring on the word "with", the DRN accurately removes the blurs in the picture
# > that people can recognize that the word is "with".

# %%
show_crops(views[2], "fig-drn-visual-ppt3", "DRN's Figure 7")

# %%
display(Markdown(describe(views[2])))

# %%
compare(views[2])

# %% [markdown]
# ### Windows: Image059, ×4
#
# > our DRN accurately restores the lines and removes the blur almost.

# %%
show_crops(views[3], "fig-drn-visual-img059", "DRN's Figure 8")

# %%
display(Markdown(describe(views[3])))

# %%
compare(views[3])

# %% [markdown]
# ### The same as numbers
#
# PSNR and SSIM are the whole image's.
# The error is that of the rectangle alone: the root of the mean square of the difference in luma, which the maps above show.

# %%
crop_scores = scores_table(views)
styled_scores(crop_scores, "rgb_floaty")

# %%
display(Markdown(least_errors(crop_scores)))

# %% [markdown]
# ## What we learned
#
# * The claim of Figure 7 can be read with the eye: whether the word is "with" is not a matter of decibels.
# * A narrow network (its filters and its share of the published training stand over its crop) shows the mechanism, not the
#   paper's level.
# * A crop is an example. The tables, over all images of a test set, carry the claim; a rectangle can be found for nearly any
#   order of methods.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/drn_visual.ipynb results/runs/drn_visual.ipynb`
#
# Networks of the papers' size take longer where they have records, and less with `-p device cuda`.
# VDSR appears when `SRLIB_VDSR_WEIGHTS` names the file of its released weights (`.npz`).
# `-p others rlcsc_k25,drrn_b1u9` adds networks of the other pages.
# ```
