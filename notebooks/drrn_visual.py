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
# # DRRN, Figure 7: crops of three images
#
# **Question.** Does DRRN recover lines, a pattern and letters that other networks leave blurred?
#
# The paper shows `img059` of Urban100 and `253027` of BSD100 at ×3, and `ppt3` of Set14 at ×4, each as SRCNN, SelfEx, VDSR and
# DRRN make it.

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
# The test image is made small as the `drrn` protocol of `srlib.protocol` does, for all methods alike.
# It is the image that is scored.
# A network sees the rectangle and as much around it as its receptive field reaches, so the crop equals that of its output for
# the whole image.
# The protocol resizes luma alone.
# The colours shown are the method's luma with the chroma of bicubic interpolation, as the paper does it.
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
    "SRCNN": "srcnn_955",
    "SelfEx": "",
    "VDSR (released)": "vdsr_official",  # the weights of its authors
    "VDSR with BN": "vdsr_bn",  # the paper's "re-implementation"
    "DRRN_B1U9": "drrn_b1u9",
    "DRRN_B1U25": "drrn_b1u25",
    "DRRN_B1U3 (narrow)": "drrn_b1u3_w32",  # 32 filters, trained on a CPU
}
METHODS |= {name: name for name in others}
views = [
    view(grow_to_square(region, 160), METHODS, "drrn", choose_device(device))
    for region in REGIONS["drrn"]
]

# %% [markdown]
# ## Result
#
# The published figures are images: they hold no number that the text gives, so there is none to stand beside ours.
# What each claims is quoted above our version of it.
# Bold is the best of the methods that are shown and scored here, not of all that the paper shows.

# %% [markdown]
# ### Lines: img059, ×3
#
# > DRRN recovers sharp lines, while others all give blurry results.

# %%
show_crops(views[0], "fig-drrn-visual-img059", "DRRN's Figure 7, first row,")

# %%
display(Markdown(describe(views[0])))

# %%
compare(views[0])

# %% [markdown]
# ### A pattern: 253027, ×3
#
# > DRRN accurately recovers the pattern.

# %%
show_crops(views[1], "fig-drrn-visual-253027", "DRRN's Figure 7, second row,")

# %%
display(Markdown(describe(views[1])))

# %%
compare(views[1])

# %% [markdown]
# ### Letters: ppt3, ×4
#
# > Texts in DRRN are sharp, while others are blurry.

# %%
show_crops(views[2], "fig-drrn-visual-ppt3", "DRRN's Figure 7, last row,")

# %%
display(Markdown(describe(views[2])))

# %%
compare(views[2])

# %% [markdown]
# ### The same as numbers
#
# PSNR and SSIM are the whole image's.
# The error is that of the rectangle alone: the root of the mean square of the difference in luma, which the maps above show.

# %%
crop_scores = scores_table(views)
styled_scores(crop_scores, "drrn")

# %%
display(Markdown(least_errors(crop_scores)))

# %% [markdown]
# ## What we learned
#
# * What is finer than the small image can hold comes back in a wrong direction or not at all: the lines of `img059` are folded
#   already in the bicubic crop, and a network sharpens what it is given, right or wrong.
# * A narrow network (its filters and its share of the published training stand over its crop) shows the mechanism, not the
#   paper's level.
# * A crop is an example. The tables, over all images of a test set, carry the claim; a rectangle can be found for nearly any
#   order of methods.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/drrn_visual.ipynb results/runs/drrn_visual.ipynb`
#
# Networks of the papers' size take longer where they have records, and less with `-p device cuda`.
# VDSR appears when `SRLIB_VDSR_WEIGHTS` names the file of its released weights (`.npz`).
# `-p others rlcsc_k25,drrn_b1u9` adds networks of the other pages.
# ```
