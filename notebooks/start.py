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
# # Start here
#
# This is the workshop behind the book: the notebooks that make its pages, with everything they compute from.
# Run this one from top to bottom (*Run*, *Run All Cells*); it trains nothing.
# It shows what is at hand, lists the notebooks, and ends with two things to play with.

# %% tags=["parameters", "hide-input"]
device: str = "auto"  # of the networks below: cpu, cuda or auto

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
from IPython.display import Markdown, display

from srlib.datasets import data_folder, open_images
from srlib.figures.contents import dataset_table, notebook_tables, record_table
from srlib.figures.text import markdown_table
from srlib.images import imresize
from srlib.inference.enlarge import super_resolve
from srlib.records.record import find_record, load_model
from srlib.training.devices import choose_device
from srlib.widgets.explorer import explore
from srlib.widgets.viewer import compare

# %% [markdown]
# ## The notebooks
#
# Click a title to open it.
# Each is a page of the book, in the order of the book.
# It reads the committed records, and trains only where `train` in its first cell says so.

# %%
for part, notebooks in notebook_tables().items():
    display(Markdown(f"**{part}**\n\n{markdown_table(notebooks)}"))

# %% [markdown]
# ## Data
#
# The photographs of `Sample` are always here, and the notebooks run on them where nothing else is, and say so.
# To fetch others, verified, open a terminal (*File*, *New*, *Terminal*) and type:
#
# ```
# .venv/bin/python -m srlib fetch Set5 Set14 T91
# ```
#
# If you have them already, set `SRLIB_DATA` to the folder that holds them before `make lab`.

# %%
display(
    Markdown(
        f"Datasets are looked for in `{data_folder()}`.\n\n{markdown_table(dataset_table())}"
    )
)

# %% [markdown]
# ## Records
#
# A record is a number of ours and how it came to be: settings, curve, weights, scores image by image.
# All are in `results/`.

# %%
display(Markdown(markdown_table(record_table())))

# %% [markdown]
# ## Compare outputs with your own eyes
#
# An original is made small, enlarged by several networks, and put into a viewer: drag the divider, move the zoom, press a digit.
# The small picture is rounded to 8 bits, as a file is; the tables of the book keep to their protocols, so scores differ a little.
# Put your own picture in place of `hr`, as `srlib.images.read_image("photo.png")`.

# %%
scale = 3
original = dict(open_images("Sample"))["chelsea"]
hr = original[
    45:237, 105:297
]  # rows and columns: a square whose side is a multiple of 2, 3 and 4
lr = imresize(hr, 1 / scale)

# %%
networks = {
    "DRRN B3U3": "drrn_b3u3_w16",
    "DSRN T3": "dsrn_t3_x3_w32",
    "RL-CSC K5": "rlcsc_k5_n32_m32",
}  # the column above
outputs = {"Bicubic": super_resolve(lr, None, scale)}
for label, experiment in networks.items():
    if find_record(experiment) is not None:
        outputs[label] = super_resolve(
            lr, load_model(experiment, scale).to(choose_device(device)), scale
        )
compare(outputs, hr, scale=scale, protocol="drrn", title="Part of the cat")

# %% [markdown]
# ## Explore
#
# Choose or upload a picture, choose networks, run them on a region, and see the outputs in the same viewer.

# %%
explore(device=device)

# %% [markdown]
# ## Where to go on
#
# * *Rerun an experiment* outside JupyterLab, with its output kept: `papermill`, as the README shows.
# * *Train:* `.venv/bin/python -m srlib queue` says what is next, how long it takes here, and the command.
# * *Read the book:* `make book`, or `_build/html/index.html` if it is built.
