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
# # Compare outputs with your own eyes
#
# **Question.** PSNR says how far an output is from the original.
# Where does the difference lie, and can you see it?

# %% tags=["parameters", "hide-input"]
device: str = "auto"  # cpu, cuda or auto
image: str = "butterfly"  # of Set5, or a photograph of the stand-in
scale: int = 3  # 2, 3 or 4
protocol: str = "drrn"  # how the image is made small and scored
experiments: list[str] = []  # default: each paper's most trained
live: bool = False  # show the explorer in any front end

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
import os

from IPython.display import Markdown, display

from srlib.figures.crops import describe, view
from srlib.figures.regions import Region
from srlib.training.devices import choose_device
from srlib.widgets.explorer_choices import most_trained
from srlib.widgets.viewer import compare

# %% [markdown]
# ## Method
#
# The image is made small as the protocol does, for all methods alike, and each method enlarges it again.
# What is shown is a square of the output, pixel by pixel, without loss.
# PSNR and SSIM are of the whole image, under the protocol.
# Where the protocol resizes luma alone, the colours are the method's luma with the chroma of bicubic interpolation.
#
# Of each paper the network is shown whose record went furthest in training at this scale.
# They are narrow and trained for a small part of the published time; the caption says how narrow and how small.
# So they show what the viewer can do and what a network adds to interpolation, not the papers' level.

# %% [markdown]
# ## Code

# %%
networks = experiments or most_trained(scale)
METHODS = {"Bicubic": "bicubic", "VDSR (released)": "vdsr_official"}
METHODS |= {name: name for name in networks}
reason = "it has edges in every direction, thin lines and flat colours"
region = Region(
    image, "Set5", scale, top=24, left=24, height=192, width=192, why=reason
)
outputs = view(region, METHODS, protocol, choose_device(device))

# %% [markdown]
# ## Result
#
# Choose two methods and draw the divider across.
# The keys `1` to `9` show one method alone, and space goes back and forth between two.
# The small pictures show one and the same place in every output; drag the frame to another.
# The switch for the error shows the difference of luma to the original.

# %%
compare(outputs)

# %%
display(Markdown(describe(outputs)))

# %% [markdown]
# ## The live explorer
#
# `explore()` does the same for any image: choose one of a test set or upload your own, choose scale, networks and
# self-ensemble, drag a square, and press Run.
# Scores are of the square, with the seconds and the memory that it took each network.
# It needs a kernel to talk to, so it is live where this notebook is: **run this page in JupyterLab (`make lab`)**.

# %%
from srlib.widgets.explorer import explore

if live or "JPY_SESSION_NAME" in os.environ:  # set by the server of JupyterLab
    display(explore(device=device))

# %% [markdown]
# ## The same from Python
#
# `super_resolve` takes the path of a file, a PIL image or an array, and an array gives an array back.
# `compare` takes pictures by label, with `hr=` the original, and saves itself as one file that opens anywhere.

# %%
from srlib.images import imresize
from srlib.inference.enlarge import super_resolve
from srlib.records.record import load_model

small = imresize(outputs.scene.hr, 1 / scale)[
    :60, :60
]  # or Image.open("your.png")
models = {"Bicubic": None} | {
    name: load_model(name, scale) for name in networks[:1]
}
enlarged = {
    name: super_resolve(small, model, scale) for name, model in models.items()
}
compare(enlarged, title="without an original")

# %% [markdown]
# ## What we learned
#
# * Differences of a decibel are small to the eye where the picture is flat, and plain at edges: that is where the error map is
#   bright, for every method.
# * A network sharpens an edge that interpolation blurs. Where the small image no longer holds a detail, it guesses.
# * A crop is an example. The tables, over all images of a test set, carry the claims.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/compare.ipynb results/runs/compare.ipynb -p image bird`
#
# VDSR appears when `SRLIB_VDSR_WEIGHTS` names the file of its released weights (`.npz`).
# `-p experiments drrn_b1u3_w32,dsrn_t3_x3_w32` chooses the networks.
# ```
