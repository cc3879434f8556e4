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

# %% tags=["parameters"]
train: bool = False  # unused here: nothing is trained, records are shown
budget: float = 1.0  # unused here
seed: int = 0  # unused here: a record is the one trained longest, then the first seed
device: str = "auto"  # cpu, cuda or auto
experiment: str = ""  # the DSRN to look into, such as dsrn_t7_x3; default: the widest with a record
data: str = ""  # test set or folder of images; default: Set5, or photographs that stand in

# %%
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import inspect
from copy import deepcopy
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from torch import nn

from srlib import models
from srlib.datasets import first_available, open_images
from srlib.figures.crops import scene
from srlib.figures.regions import REGIONS
from srlib.figures.style import COLOURS, show, table, use_style
from srlib.inference.tiling import to_tensor
from srlib.protocol import PROTOCOLS
from srlib.records.methods import training
from srlib.records.record import Record, find_record, find_records
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

# %% tags=["hide-input"]
head, _, body = inspect.getsource(unrolled).split('"""')
display(Markdown(f"```python\n{head.rstrip()}{body}\n```"))


# %% tags=["hide-input"]
def width(record: Record) -> int:
    """Filters of a network; the paper's own has 128, and does not say so in its record."""
    return next((record.info["arguments"][k] for k in ("width", "n") if k in record.info["arguments"]), 128)


def largest(model: str, steps: str, default: int) -> Record | None:
    """Of the trained networks of one kind, as it is in its paper, the widest, then the one with most steps, then at ×3."""
    ordinary = {"scale", "T", "B", "U", "K", "n", "m", "width"}
    found = [r for r in find_records() if r.info.get("model") == model and r.info["arguments"].keys() <= ordinary]
    found = [r for r in found if r.info["arguments"].get("B", 1) == 1 and "div2k" not in r.info["experiment"]]
    found = [r for r in found if (r.folder / "weights.safetensors").exists()]
    rank = {
        r.folder: (
            width(r),
            r.info["arguments"].get(steps, default),
            3 in r.info["recipe"]["scales"],
            r.info["iterations_done"],
        )
        for r in found
    }
    return max(found, key=lambda r: rank[r.folder], default=None)


chosen = find_record(experiment) if experiment else largest("dsrn", "T", 7)
others = {"drrn": largest("drrn", "U", 0), "rlcsc": largest("rlcsc", "K", 25)}
scale = chosen.model().scale if chosen else 3
networks = {
    name: (record, record.model().eval().to(device))
    for name, record in {"dsrn": chosen, **others}.items()
    if record and scale in record.info["recipe"]["scales"]
}
shown = [
    {
        "network": name,
        "record": r.folder.parts[-2],
        "filters": width(r),
        "steps": getattr(m, "T", 0) or getattr(m, "K", 0) or r.info["arguments"]["U"],
        "how far it is the paper's": training(r) or "as published",
    }
    for name, (r, m) in networks.items()
]
if shown:
    display(table(pd.DataFrame(shown), f"The networks of this page, at ×{scale}"))
if "dsrn" not in networks:
    print(f"There is no record of {experiment or 'a DSRN'}: python -m srlib queue says how to train one.")

# %% [markdown]
# ## Result: the states of DSRN


# %% tags=["hide-input"]
def draw(axes: plt.Axes, image: np.ndarray, title: str, **options: object) -> None:
    """One picture without frame."""
    axes.imshow(image, interpolation="nearest", **options)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


place = scene(REGIONS["dsrn"][2], "drrn")
if place.region.scale != scale:
    place = replace(place, region=replace(place.region, scale=scale))
window = place.region.window
source = f"`{place.region.image}` of {place.region.dataset}"
note = " It is a photograph that stands in: Set14 is not at hand." if place.region.dataset == "Sample" else ""
NAMES = {"dsrn": "DSRN", "drrn": "DRRN", "rlcsc": "RL-CSC"}
seen = {
    name: show_states(
        model,
        place.lr,
        place.ilr,
        scale,
        window=window,
        hr=place.hr,
        label=f"{NAMES[name]} ({record.folder.parts[-2]}), ×{scale}",
    )
    for name, (record, model) in networks.items()
}
display(Markdown(f"The patch is {place.region.height} × {place.region.width} pixels of {source}, ×{scale}.{note}"))

# %% tags=["hide-input"]
if "dsrn" in networks:
    energies, ilr = seen["dsrn"].energies, seen["dsrn"].bicubic
    residuals = [255 * (y - ilr) for y in seen["dsrn"].predictions]
    true = place.luma[window] - 255 * ilr
    top = np.quantile(np.abs(true), 0.98)
    T = len(energies)
    figure, axes = plt.subplots(2, T + 2, figsize=(1.55 * (T + 2), 3.6), layout="constrained", squeeze=False)
    draw(axes[0, 0], ilr, "input (bicubic)", cmap="gray", vmin=16 / 255, vmax=235 / 255)
    draw(axes[0, T + 1], place.hr[window], "HR")
    draw(axes[1, 0], true, "HR − bicubic", cmap="RdBu_r", vmin=-top, vmax=top)
    for t in range(T):
        draw(
            axes[0, t + 1],
            energies[t],
            f"$E^{t + 1}$: {energies[t].mean():.2g}",
            cmap="viridis",
            vmin=0,
            vmax=np.quantile(energies[t], 0.995),
        )
        draw(axes[1, t + 1], residuals[t], f"$r^{t + 1}$", cmap="RdBu_r", vmin=-top, vmax=top)
    draw(axes[1, T + 1], np.mean(residuals, 0), "mean (Eq. 5)", cmap="RdBu_r", vmin=-top, vmax=top)
    figure.colorbar(axes[1, 0].images[0], ax=axes[1], label="grey levels", extend="both", fraction=0.02)
    plt.show()

# %% tags=["hide-input"]
if "dsrn" in networks:
    flat = np.array([r.ravel() for r in residuals])
    rows = [
        {
            "step": f"t = {t + 1}",
            "mean energy": f"{energies[t].mean():.3g}",
            "residual, RMS": f"{np.sqrt((flat[t] ** 2).mean()):.1f}",
            "error of this step, RMS": f"{np.sqrt(((flat[t] - true.ravel()) ** 2).mean()):.1f}",
            "correlation with the truth": f"{np.corrcoef(flat[t], true.ravel())[0, 1]:.2f}",
        }
        for t in range(T)
    ]
    mean = flat.mean(0)
    rows.append(
        {
            "step": "mean of all",
            "mean energy": "",
            "residual, RMS": f"{np.sqrt((mean**2).mean()):.1f}",
            "error of this step, RMS": f"{np.sqrt(((mean - true.ravel()) ** 2).mean()):.1f}",
            "correlation with the truth": f"{np.corrcoef(mean, true.ravel())[0, 1]:.2f}",
        }
    )
    display(table(pd.DataFrame(rows), "The steps in numbers, inside the patch (grey levels)"))

# %% [markdown]
# ## Result: is the average better than the last step?
#
# Section 5.3: the average of all unrolled states "performs better than output from the last state only".
# Each step's prediction is scored as an image of its own.

# %% tags=["hide-input"]
MOST_WORK = 5e10  # multiplications a network: images are taken from the smallest on until these are spent
test_set = open_images(data or first_available("Set5"))
protocol = PROTOCOLS["drrn"]
images = sorted(test_set, key=lambda named: named[1].size)


@torch.no_grad()
def steps_of(model: nn.Module, image: np.ndarray) -> dict[str, float]:
    """PSNR of bicubic, of each step's prediction, and of their average."""
    lr = protocol.degrade(image, scale)
    ilr = protocol.interpolate(lr, scale)
    inputs = (to_tensor(x).to(device) for x in (lr, ilr))
    predictions = [y[0, 0].double().cpu().numpy() for _, y in unrolled(model, *inputs)]
    outputs = {"0": ilr} | {str(t): y for t, y in enumerate(predictions, 1)} | {"average": np.mean(predictions, 0)}
    return {name: protocol.score(image, sr, scale, ("psnr",)).psnr for name, sr in outputs.items()}


psnr, used = {}, []
for name, (_, model) in networks.items():
    work = models.macs_per_pixel(lambda model=model: deepcopy(model).cpu(), scale)
    sizes = np.cumsum([image.shape[0] * image.shape[1] for _, image in images])
    taken = max(1, int((work * sizes <= MOST_WORK).sum())) if device == "cpu" else len(images)
    psnr[name] = pd.DataFrame({image: steps_of(model, pixels) for image, pixels in images[:taken]})
    used.append(f"{name}: {taken} of {len(images)} images of {test_set.name} ({', '.join(psnr[name].columns)})")
display(Markdown("\n".join(f"* {line}" for line in used)))

# %% tags=["hide-input"]
if psnr:
    figure, ax = plt.subplots(layout="constrained")
    for name, frame in psnr.items():
        line = frame.drop("average").mean(axis=1)
        ax.plot(range(len(line)), line, "o-", color=COLOURS[name], markersize=5, label=NAMES[name])
        if name == "dsrn":
            ax.axhline(frame.loc["average"].mean(), color=COLOURS[name], linestyle="--", label="DSRN, average of all steps")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="step t, u or k (0: bicubic)", ylabel=f"PSNR at ×{scale} (dB)")
    ax.legend()
    show(figure, "fig-dsrn-steps", **FIGURES["fig-dsrn-steps"])

# %% tags=["hide-input"]
if "dsrn" in psnr:
    frame = psnr["dsrn"].copy()
    frame["mean"] = frame.mean(axis=1)
    last = str(len(frame) - 2)
    labels = {"0": "bicubic", last: f"step {last}, the last", "average": "average of all (Eq. 5)"}
    rows = [{"prediction": labels.get(k, f"step {k}")} | {c: f"{v:.2f}" for c, v in row.items()} for k, row in frame.iterrows()]
    display(table(pd.DataFrame(rows), f"DSRN: PSNR (dB) of each step's prediction at ×{scale}, {test_set.name}"))

# %% tags=["hide-input"]
if "dsrn" in psnr:
    frame = psnr["dsrn"]
    gaps = frame.loc["average"] - frame.loc[last]
    best = frame.drop(["0", "average"]).mean(axis=1)
    text = (
        f"In this network the average is **{gaps.mean():+.2f} dB** against the last step, and better on {(gaps > 0).sum()} of "
    )
    text += f"{len(gaps)} images; against the best single step (step {best.idxmax()}) it is "
    text += f"**{frame.loc['average'].mean() - best.max():+.2f} dB**. "
    text += "It is one network, trained for the average, read out in two ways."
    recorded = chosen.mean(test_set.name, scale, "psnr", "drrn")
    if recorded is not None and len(gaps) == len(images):
        text += f" (The average is the network's output: {frame.loc['average'].mean():.4f} dB here, {recorded:.4f} dB in its record.)"
    display(Markdown(text))

# %% [markdown]
# The fair test is two trainings, alike in all but this: one for the average, one for the last state.

# %% tags=["hide-input"]
rows = []
dsrns = [r for r in find_records() if r.info.get("model") == "dsrn"]
for last_state in dsrns:
    rest_of = {k: v for k, v in last_state.info["arguments"].items() if k != "average"}
    for average in dsrns:
        alike = all(average.info[k] == last_state.info[k] for k in ("recipe", "iterations_done", "seed", "data_sha256"))
        if alike and not last_state.info["arguments"].get("average", True) and average.info["arguments"] == rest_of:
            s = rest_of["scale"]
            for r, name in ((average, "the average"), (last_state, "the last state")):
                values = {f"{d}, PSNR": r.mean(d, s, "psnr", "drrn") for d in ("Set5", "Set14")}
                rows.append(
                    {"trained for": name, "record": r.folder.parts[-2], "scale": f"×{s}", "seed": r.info["seed"]} | values
                )
if rows:
    display(table(pd.DataFrame(rows), "DSRN trained for the average of its predictions, and for its last one"))
else:
    display(Markdown("There is no such pair of records yet (`dsrn_t7_x3` and `dsrn_last_state_x3`, or narrow forms of both)."))

# %% [markdown]
# ## Result: the states of DRRN and RL-CSC
#
# The same patch, the same definition of energy, up to seven states of each.

# %% tags=["hide-input"]
rest = {name: states.energies for name, states in seen.items() if name != "dsrn"}
if rest:
    most = min(7, max(map(len, rest.values())))
    figure, axes = plt.subplots(
        len(rest), most + 1, figsize=(1.55 * (most + 1), 2.0 * len(rest)), layout="constrained", squeeze=False
    )
    for row, (name, energies_of) in zip(axes, rest.items(), strict=True):
        draw(row[0], place.hr[window], "HR")
        picked = np.unique(np.linspace(0, len(energies_of) - 1, min(most, len(energies_of))).round().astype(int))
        for axes_of, t in zip(row[1:], picked, strict=False):
            energy_map, symbol = energies_of[t], f"H^{{{t + 1}}}" if name == "drrn" else f"z_{{{t + 1}}}"
            top = np.quantile(energy_map, 0.995)
            draw(axes_of, energy_map, f"${symbol}$: {energy_map.mean():.2g}", cmap="viridis", vmin=0, vmax=top)
        for axes_of in row[1 + len(picked) :]:
            axes_of.set_axis_off()
    plt.show()
else:
    print(f"No record of a DRRN of one block or of an RL-CSC at ×{scale} yet.")

# %% [markdown]
# ## Step through the recursions
#
# Move the slider, or press Play: each step's image of the patch, the energy of its state, what it adds to bicubic, and its error.
# Step 0 is bicubic. PSNR is that of luma inside the patch, not of the whole image.

# %% tags=["hide-input"]
for states in seen.values():
    display(states)
if not seen:
    print("No recursive network has a record yet: python -m srlib queue says how to train one.")

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
