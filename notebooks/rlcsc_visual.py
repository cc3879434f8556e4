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
# # RL-CSC, Figures 4, 5 and 6: crops of three images
#
# **Question.** Does RL-CSC restore the direction of stripes, sharp letters and details that other networks blur?
#
# The paper shows `8023` of BSD100 at ×4 (Figure 4), `ppt3` of Set14 at ×3 (Figure 5) and `img076` of Urban100 at ×4 (Figure 6).
# The text does not say beside which methods; those of its Tables 1 and 2 are listed here.

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
    describe_period,
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
    "DRCN": "drcn",
    "DRRN_B1U9": "drrn_b1u9",
    "DRRN_B1U25": "drrn_b1u25",
    "MemNet": "",
    "RL-CSC": "rlcsc_k25",
    "RL-CSC, K = 5 (narrow)": "rlcsc_k5_n32_m32",  # 32 filters, trained on a CPU
}
METHODS |= {name: name for name in others}
views = [
    view(grow_to_square(region, 160), METHODS, "drrn", choose_device(device))
    for region in REGIONS["rlcsc"]
]

# %% [markdown]
# ## Result
#
# The published figures are images: they hold no number that the text gives, so there is none to stand beside ours.
# What each claims is quoted above our version of it.
# Bold is the best of the methods that are shown and scored here, not of all that the paper shows.

# %% [markdown]
# ### Stripes: 8023, ×4
#
# > The direction of the stripes on the feathers is correctly restored in RL-CSC, while other methods fail to recover the pattern.

# %%
show_crops(views[0], "fig-rlcsc-visual-8023", "RL-CSC's Figure 4")

# %%
display(Markdown(describe(views[0])))

# %%
compare(views[0])

# %% [markdown]
# ### Letters: ppt3, ×3
#
# > Texts in RL-CSC are sharp while character edges are blurry in other methods.

# %%
show_crops(views[1], "fig-rlcsc-visual-ppt3", "RL-CSC's Figure 5")

# %%
display(Markdown(describe(views[1])))

# %%
compare(views[1])

# %% [markdown]
# ### Details: img076, ×4
#
# > More details are recovered by RL-CSC, while others produce blurry visual results.

# %%
show_crops(views[2], "fig-rlcsc-visual-img076", "RL-CSC's Figure 6")

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
# Is the pattern of the first figure in the small image at all?
# Its period is measured as the strongest frequency of the original's luma inside the rectangle.

# %%
display(Markdown(describe_period(views[0])))

# %% [markdown]
# ## What we learned
#
# * A regular pattern needs two pixels of the small image a period. Below that its direction is no longer in the data, and a
#   network can only guess it; whether it guesses right is what Figure 4 is about.
# * A narrow network (its filters and its share of the published training stand over its crop) shows the mechanism, not the
#   paper's level.
# * A crop is an example. The tables, over all images of a test set, carry the claim; a rectangle can be found for nearly any
#   order of methods.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/rlcsc_visual.ipynb results/runs/rlcsc_visual.ipynb`
#
# Networks of the papers' size take longer where they have records, and less with `-p device cuda`.
# VDSR appears when `SRLIB_VDSR_WEIGHTS` names the file of its released weights (`.npz`).
# `-p others rlcsc_k25,drrn_b1u9` adds networks of the other pages.
# ```
