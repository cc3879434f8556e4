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
# # DSRN, Figure 5: what the states hold
#
# **Question.** DSRN predicts the image at every unrolled step and averages the predictions.
# Do the steps hold different things, and is the average better than the last step alone, as Section 5.3 says?
#
# The paper shows a patch and "the energy maps of the output at HR states (7 unrolled timestamps in total)".
# DRRN and RL-CSC are recursive as well, so their states are read out in the same way below.

# %% tags=["parameters", "hide-input"]
device: str = "auto"  # cpu, cuda or auto
experiment: str = ""  # a DSRN; default: the widest with a record
data: str = ""  # test set or folder; default: Set5

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
import inspect
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display

from srlib.datasets import first_available, open_images
from srlib.figures.crops import scene
from srlib.figures.regions import REGIONS
from srlib.figures.states import (
    NETWORKS,
    average_text,
    energy_figure,
    energy_maps_figure,
    energy_table,
    networks_table,
    readout_pairs,
    smallest_images,
    step_psnr_figure,
    step_psnr_table,
    widest_record,
)
from srlib.figures.style import show, table, use_style
from srlib.inference.tiling import to_tensor
from srlib.protocol import PROTOCOLS
from srlib.records.record import find_record
from srlib.training.devices import choose_device
from srlib.widgets.states import show_states, unrolled

use_style()
device = choose_device(device)

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-dsrn-states": {
        "caption": (
            "DSRN's Figure 5 regenerated. Upper row: the input patch (its bicubic interpolation), the energy of the HR "
            "state at each step, and the original. Each energy map is drawn from 0 (dark) to its own 99.5th percentile; "
            "its title gives its mean. Lower row: what is to be predicted, the residual that each step predicts, and the "
            "mean of the steps; all on one scale."
        ),
        "alt": (
            "Two rows of small maps of one image patch. Above, the blurred input, one energy map for each unrolled step, "
            "and the sharp original. Below, the true residual, the residual predicted at each step, and their mean, in "
            "red and blue."
        ),
    },
    "fig-dsrn-steps": {
        "caption": (
            "PSNR of the prediction at each step, mean over the images named above; step 0 is bicubic interpolation. "
            "Dashed: the average of all steps (Eq. 5), which is DSRN's output. DRRN and RL-CSC are trained for their last"
            " step only."
        ),
        "alt": (
            "PSNR against the step of the recursion, a line for each network, and a dashed line at the PSNR of DSRN's "
            "average prediction."
        ),
    },
    "fig-recursive-states": {
        "caption": (
            "Energy of the states of DRRN (H^u) and RL-CSC (z_k) on the same patch, each drawn from 0 (dark) to its own "
            "99.5th percentile; its title gives its mean."
        ),
        "alt": "Rows of energy maps of one image patch, a row for each network and a map for each step.",
    },
}

# %% [markdown]
# ## Method
#
# The HR states of DSRN are $s_h^1 \dots s_h^T$ (Eq. 2).
# One and the same output layer turns each into a prediction of the residual (Eq. 4), and their mean is the network's (Eq. 5):
#
# $$\hat r^t = f_{\mathrm{output}}(s_h^t), \qquad \hat r = \frac{1}{T}\sum_{t=1}^{T} \hat r^t .$$
#
# The paper does not define the *energy* of a state.
# Here it is the mean over the channels of their squares, at each pixel:
#
# $$E^t(i, j) = \frac{1}{C} \sum_{c=1}^{C} s_h^t(c, i, j)^2 .$$
#
# In DRRN the state is $H^u$, read out by the last normalisation and reconstruction; in RL-CSC it is the sparse code $z_k$, read out
# by $W_2$ and $H$ (Eq. 11).
# These two are trained to predict from the last state alone, and DSRN from the mean.
# To read a network in another way than it was trained for is a look inside, not a fair contest; that takes two trainings.
#
# The paper's patch can be seen in its figure only.
# Ours is a rectangle of `monarch` (Set14), the one of the page of crops.
# Luma is made small as the `drrn` protocol does, one of the two in which DSRN's experiments are scored.

# %% [markdown]
# ## Code
#
# `srlib.widgets.states.unrolled` yields every state of a network together with the prediction that is made of it.
# This is its source, without the docstring; `energy` is the mean of the squares.

# %%
head, _, body = inspect.getsource(unrolled).split('"""')
display(Markdown(f"```python\n{head.rstrip()}{body}\n```"))

# %% [markdown]
# Of the trained networks of each kind the widest is shown; `experiment` in the parameters chooses another DSRN.

# %%
dsrn_record = find_record(experiment) if experiment else widest_record("dsrn")
scale = dsrn_record.model().scale if dsrn_record else 3
records = {
    "dsrn": dsrn_record,
    "drrn": widest_record("drrn"),
    "rlcsc": widest_record("rlcsc"),
}
records = {
    name: record
    for name, record in records.items()
    if record and scale in record.info["recipe"]["scales"]
}
networks = {
    name: record.model().eval().to(device) for name, record in records.items()
}
if records:
    display(
        table(
            networks_table(records),
            f"The networks of this page, at ×{scale}",
        )
    )
if "dsrn" not in records:
    print(
        f"There is no record of {experiment or 'a DSRN'}: python -m srlib queue says how to train one."
    )

# %% [markdown]
# ## Result: the states of DSRN

# %%
patch = scene(REGIONS["dsrn"][2], "drrn")
region = replace(patch.region, scale=scale)
patch, window = replace(patch, region=region), region.window
stand_in = (
    " It is a photograph that stands in: Set14 is not at hand."
    if region.dataset == "Sample"
    else ""
)
place = f"{region.height} × {region.width} pixels of `{region.image}` of {region.dataset}, ×{scale}."
display(Markdown(f"The patch is {place}{stand_in}"))

# %%
states = {}
for name, network in networks.items():
    label = f"{NETWORKS[name]} ({records[name].folder.parts[-2]}), ×{scale}"
    states[name] = show_states(
        network,
        patch.lr,
        patch.ilr,
        scale,
        window=window,
        hr=patch.hr,
        label=label,
    )

# %%
if "dsrn" in states:
    figure = energy_figure(states["dsrn"], patch.hr[window], patch.luma[window])
    show(figure, "fig-dsrn-states", pd.DataFrame(), **FIGURES["fig-dsrn-states"])

# %%
if "dsrn" in states:
    numbers = energy_table(states["dsrn"], patch.luma[window])
    display(
        table(numbers, "The steps in numbers, inside the patch (grey levels)")
    )

# %% [markdown]
# ## Result: is the average better than the last step?
#
# Section 5.3: the average of all unrolled states "performs better than output from the last state only".
# Each step's prediction is scored as an image of its own.

# %%
test_set = open_images(data or first_available("Set5"))
protocol = PROTOCOLS["drrn"]
most_work = (
    5e10 if device == "cpu" else np.inf
)  # multiplications of a network, on images from the smallest on


@torch.no_grad()
def step_psnr(network, image):
    """PSNR of bicubic, of each step's prediction, and of their average."""
    lr = protocol.degrade(image, scale)
    ilr = protocol.interpolate(lr, scale)
    inputs = (to_tensor(x).to(device) for x in (lr, ilr))
    predictions = [
        y[0, 0].double().cpu().numpy() for _, y in unrolled(network, *inputs)
    ]
    outputs = (
        {"0": ilr}
        | {str(t): y for t, y in enumerate(predictions, 1)}
        | {"average": np.mean(predictions, 0)}
    )
    return {
        step: protocol.score(
            image, np.clip(sr, 0, 1), scale, "psnr", known_range=True
        ).psnr
        for step, sr in outputs.items()
    }


# %%
psnr = {}
for name, network in networks.items():
    images = smallest_images(test_set, network, scale, most_work)
    psnr[name] = pd.DataFrame(
        {image: step_psnr(network, pixels) for image, pixels in images}
    )
lines = [
    f"* {name}: {len(frame.columns)} of {len(test_set)} images of {test_set.name} ({', '.join(frame)})"
    for name, frame in psnr.items()
]
display(Markdown("\n".join(lines)))

# %%
if psnr:
    show(
        step_psnr_figure(psnr, scale),
        "fig-dsrn-steps",
        **FIGURES["fig-dsrn-steps"],
    )

# %%
if "dsrn" in psnr:
    caption = (
        f"DSRN: PSNR (dB) of each step's prediction at ×{scale}, {test_set.name}"
    )
    display(table(step_psnr_table(psnr["dsrn"]), caption))

# %%
if "dsrn" in psnr:
    recorded = dsrn_record.mean(test_set.name, scale, "psnr", "drrn")
    every_image = len(psnr["dsrn"].columns) == len(test_set)
    display(
        Markdown(average_text(psnr["dsrn"], recorded if every_image else None))
    )

# %% [markdown]
# The fair test is two trainings, alike in all but this: one for the average, one for the last state.

# %%
pairs = readout_pairs()
if len(pairs):
    display(
        table(
            pairs,
            "DSRN trained for the average of its predictions, and for its last one",
        )
    )
else:
    display(
        Markdown(
            "There is no such pair of records yet (`dsrn_t7_x3` and `dsrn_last_state_x3`, or narrow forms of both)."
        )
    )

# %% [markdown]
# ## Result: the states of DRRN and RL-CSC
#
# The same patch, the same definition of energy, up to seven states of each.

# %%
energies = {
    name: network_states.energies
    for name, network_states in states.items()
    if name != "dsrn"
}
if energies:
    figure = energy_maps_figure(energies, patch.hr[window])
    show(
        figure,
        "fig-recursive-states",
        pd.DataFrame(),
        **FIGURES["fig-recursive-states"],
    )
else:
    print(f"No record of a DRRN of one block or of an RL-CSC at ×{scale} yet.")

# %% [markdown]
# ## Step through the recursions
#
# Move the slider, or press Play: each step's image of the patch, the energy of its state, what it adds to bicubic, and its error.
# Step 0 is bicubic. PSNR is that of luma inside the patch, not of the whole image.

# %%
display(*states.values())
if not states:
    print(
        "No recursive network has a record yet: python -m srlib queue says how to train one."
    )

# %% [markdown]
# In JupyterLab the same call takes any image and any window of it:
#
# ```python
# from srlib.images import modcrop, read_image
# from srlib.protocol import PROTOCOLS
# from srlib.records.record import find_record
# from srlib.widgets.states import show_states
#
# hr = modcrop(read_image("butterfly.png"), 3)  # sides that are multiples of the scale
# lr = PROTOCOLS["drrn"].degrade(hr, 3)
# ilr = PROTOCOLS["drrn"].interpolate(lr, 3)
# model = find_record("drrn_b1u3_w32").model()
# window = slice(90, 160), slice(120, 190)  # rows and columns; without it, the whole image
# show_states(model, lr, ilr, 3, window=window, hr=hr, label="DRRN")
# ```

# %% [markdown]
# ## What we learned
#
# * The output layer is linear, so the mean of the predictions is the prediction of the mean state: what a single step leaves out
#   or overdoes is not lost, the others can complete it. The table of the steps shows how far each is from the truth by itself.
# * That the average beats the last step *of the same network* says little: only the average is trained. The claim of Section 5.3
#   needs the network that is trained for its last state.
# * An energy map shows where a state is active, which is at edges, and not what it encodes. Scales differ from step to step, as
#   each has its own PReLU; so maps are compared by pattern, and their means are printed.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/dsrn_states.ipynb results/runs/dsrn_states.ipynb -p experiment dsrn_t3_x3_w32`
#
# A network of the paper's size takes longer; `-p device cuda` helps.
# ```
