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
# # DSRN, Figure 4: crops of four images of Set14
#
# **Question.** Does DSRN reconstruct sharper text with fewer artifacts, and less blurry dots on a wing?
#
# The paper shows `ppt3`, `comic`, `monarch` and `baboon` of Set14 at ×3, "among different SR approaches", which the text does
# not name.
# Those of its Table 1 are listed here.

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
# The test image is made small as the `lapsrn` protocol of `srlib.protocol` does, for all methods alike.
# It is the image that is scored.
# A network sees the rectangle and as much around it as its receptive field reaches, so the crop equals that of its output for
# the whole image.
# It is the protocol behind nearly all rows of the paper's Table 1.
# The protocol resizes RGB.
# Each network here enlarges luma, and chroma is bicubic, as in the paper (Section 5.2).
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
    "SRCNN": "srcnn_955",
    "FSRCNN": "",
    "SelfEx": "",
    "RFL": "",
    "SCN": "",
    "VDSR (released)": "vdsr_official",  # the weights of its authors
    "DRCN": "drcn",
    "LapSRN": "",
    "DRRN_B1U25": "drrn_b1u25",
    "DSRN": "dsrn_t7_x{scale}",
    "DSRN, T = 3 (narrow)": "dsrn_t3_x3_w32",  # 32 filters, trained on a CPU
}
METHODS |= {name: name for name in others}
views = [
    view(grow_to_square(region, 160), METHODS, "lapsrn", choose_device(device))
    for region in REGIONS["dsrn"]
]

# %% [markdown]
# ## Result
#
# The published figures are images: they hold no number that the text gives, so there is none to stand beside ours.
# What each claims is quoted above our version of it.
# Bold is the best of the methods that are shown and scored here, not of all that the paper shows.

# %% [markdown]
# ### Text: ppt3
#
# > the image "ppt3", DSRN reconstructs sharp text with less artifacts.

# %%
show_crops(views[0], "fig-dsrn-visual-ppt3", "DSRN's Figure 4, first row,")

# %%
display(Markdown(describe(views[0])))

# %%
compare(views[0])

# %% [markdown]
# ### Drawing: comic
#
# The caption names the image and claims nothing of it.

# %%
show_crops(views[1], "fig-dsrn-visual-comic", "DSRN's Figure 4, second row,")

# %%
display(Markdown(describe(views[1])))

# %%
compare(views[1])

# %% [markdown]
# ### Dots: monarch
#
# > the image "monarch", DSRN finds less blurry dots along the edge of the wing.

# %%
show_crops(views[2], "fig-dsrn-visual-monarch", "DSRN's Figure 4, third row,")

# %%
display(Markdown(describe(views[2])))

# %%
compare(views[2])

# %% [markdown]
# ### Hairs: baboon
#
# The caption names the image and claims nothing of it.

# %%
show_crops(views[3], "fig-dsrn-visual-baboon", "DSRN's Figure 4, last row,")

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
styled_scores(crop_scores, "lapsrn")

# %%
display(Markdown(least_errors(crop_scores)))

# %% [markdown]
# ## What we learned
#
# * An edge can be inferred from the small image, a texture finer than its pixels cannot: compare the error maps of the wing and
#   of the hairs.
# * A narrow network (its filters and its share of the published training stand over its crop) shows the mechanism, not the
#   paper's level.
# * A crop is an example. The tables, over all images of a test set, carry the claim; a rectangle can be found for nearly any
#   order of methods.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/dsrn_visual.ipynb results/runs/dsrn_visual.ipynb`
#
# Networks of the papers' size take longer where they have records, and less with `-p device cuda`.
# VDSR appears when `SRLIB_VDSR_WEIGHTS` names the file of its released weights (`.npz`).
# `-p others rlcsc_k25,drrn_b1u9` adds networks of the other pages.
# ```
