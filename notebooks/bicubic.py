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
# # Bicubic interpolation: the rows that need no training
#
# **Question.** Before any network is compared with a paper, do our scores mean what the paper's scores mean?
#
# Every table of the four papers opens with a row for bicubic interpolation.
# Nothing is learned in it, so it must come out *to the printed digit*, or the protocol is another one.
# The rows differ between papers, and the differences tell which protocol each paper used.

# %% tags=["parameters"]
train: bool = False  # unused here: there is nothing to train
budget: float = 1.0  # unused here
seed: int = 0  # unused here
device: str = "cpu"  # unused here: scores are computed on the CPU
datasets: list[str] = ["Set5"]  # to score here; the others come from the record
vdsr_weights: str = ""  # VDSR's .npz; default: SRLIB_VDSR_WEIGHTS

# %%
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from srlib.datasets import data_folder, get_dataset, is_available
from srlib.figures.style import COLOURS, comparison, notes, show, table, use_style
from srlib.papers import TITLES, claims
from srlib.protocol import SCALES
from srlib.records.baselines import VDSR_PROTOCOLS, score_bicubic, score_vdsr
from srlib.records.record import find_record

use_style()

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-protocol-shift": {
        "caption": (
            "What changing the protocol from `drrn` to `lapsrn` does to the scores of one and the same method, bicubic "
            "interpolation."
        ),
        "alt": (
            "Two bar charts over the test sets, grouped by scale: the change of PSNR, which stands out on Set14, and the "
            "change of IFC, which is positive everywhere and largest at scale 2."
        ),
    },
    "fig-vdsr-witness": {
        "caption": (
            "The released VDSR network: our PSNR minus the published one, with the input clipped as in VDSR's own code "
            "(`vdsr`) and without (`drrn`)."
        ),
        "alt": (
            "For each test set and scale two dots, one for each protocol, showing the difference between our score of "
            "VDSR's released weights and the published one; the vdsr dots lie on zero, the drrn dots stand out on Set14."
        ),
    },
}

# %% [markdown]
# ## Method
#
# A protocol is three steps: make the low-resolution image, enlarge it, score it ({doc}`/protocols`).
# Three protocols lie behind the published bicubic rows:
#
# * `vdsr` for the PSNR and SSIM that DRRN, RL-CSC and DRN cite: the luma is reduced and enlarged without rounding and clipped to
#   the studio range;
# * `drrn` for the IFC of DRRN and RL-CSC: the same without the clipping;
# * `lapsrn` for all three metrics of DSRN's Table 1: the RGB channels are resized, SSIM is MATLAB's built-in.

# %%
here = [name for name in datasets if is_available(get_dataset(name).name)]
if missing := [name for name in datasets if name not in here]:
    text = f"Not at hand in `{data_folder()}`: {', '.join(missing)}. "
    text += "Their committed scores are shown. "
    display(Markdown(text + f"To compute them here: `python -m srlib fetch {' '.join(missing)}`."))
if not here:
    text = "No test set is at hand: the Sample photographs of scikit-image are scored, "
    display(Markdown(text + "to show that everything runs."))
computed = score_bicubic(here or ["Sample"], progress=False)
METRICS = ["psnr", "ssim", "ifc"]
overview = computed.groupby(["dataset", "scale", "protocol"], sort=False)[METRICS].mean()
table(overview.reset_index(), "Bicubic, computed here: PSNR (dB), SSIM, IFC (bits per pixel)")

# %% [markdown]
# The committed record of the same scores serves where a test set is not at hand, and as a check where it is.

# %%
record = find_record("bicubic")
recorded = record.scores if record else computed.iloc[:0]
keys = ["dataset", "scale", "image", "protocol"]
both = computed.merge(recorded, on=keys, suffixes=("", " recorded"))
if len(both):
    largest = max((both[m] - both[f"{m} recorded"]).abs().max() for m in METRICS)
    text = f"{len(both)} scores computed here; "
    text += f"the largest difference to the committed record is {largest:.1e}."
else:
    text = "Nothing computed here is in the committed record."
display(Markdown(text))
scores = pd.concat([computed, recorded[~recorded.dataset.isin(here)]])
means = scores.groupby(["protocol", "dataset", "scale"])[METRICS].mean()


def ours(claim, protocol=None):
    key = (protocol or claim.protocol, claim.dataset, claim.scale)
    return float(means.loc[key, claim.metric]) if key in means.index else None


def published_and_ours(paper):
    rows = [c for c in claims(paper) if c.experiment == "bicubic" and c.dataset != "Manga109"]
    cells = [(c, ours(c)) for c in rows]
    known = [c.printed_alike(value) for c, value in cells if value is not None]
    text = f"{TITLES[paper]}: {sum(known)} of {len(known)} numbers equal to the printed digit."
    display(Markdown(f"**{text}**"))
    display(comparison(cells, f"Bicubic in {TITLES[paper]}: published and ours"))
    if text := notes(cells):
        display(Markdown(text))


# %% [markdown]
# ## Result: DRRN, and RL-CSC which cites the same numbers

# %% tags=["hide-input"]
published_and_ours("drrn")

# %% [markdown]
# RL-CSC prints the same bicubic numbers as DRRN:

# %% tags=["hide-input"]
key = ["dataset", "scale", "metric"]
drrn_rows, rlcsc_rows = (
    {tuple(getattr(c, k) for k in key): c.value for c in claims(paper) if c.experiment == "bicubic"}
    for paper in ("drrn", "rlcsc")
)
equal = sum(drrn_rows[k] == v for k, v in rlcsc_rows.items())
display(Markdown(f"**{equal} of {len(rlcsc_rows)}** bicubic numbers in RL-CSC are DRRN's."))

# %% [markdown]
# ## Result: DSRN, another family of numbers
#
# The same images and the same interpolation, but on Set14 the printed PSNR is higher, and the IFC is higher throughout.

# %% tags=["hide-input"]
published_and_ours("dsrn")

# %% [markdown]
# ## Result: DRN
#
# DRN prints only the rows at ×3 in the text that we have.

# %% tags=["hide-input"]
published_and_ours("drn")

# %% [markdown]
# ## The story of the mixed protocols
#
# DSRN's Table 1 takes its DRRN row from the DRRN paper (`drrn`) and its other quoted rows from `lapsrn`.
# How much is due to the protocol alone? The same bicubic images, scored both ways:

# %% tags=["hide-input"]
sets = list(dict.fromkeys(scores.dataset))
shift = means.loc["lapsrn"] - means.loc["drrn"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
for ax, metric, unit in zip(axes, ("psnr", "ifc"), ("PSNR (dB)", "IFC (bits per pixel)"), strict=True):
    for k, scale in enumerate(SCALES):
        heights = [shift.loc[(name, scale), metric] for name in sets]
        ax.bar(np.arange(len(sets)) + 0.27 * (k - 1), heights, 0.25, label=f"×{scale}", color=plt.cm.cividis(k / 2.5))
    ax.set_xticks(range(len(sets)), sets)
    ax.set_title(f"Change of {unit}, drrn to lapsrn")
axes[0].legend(title="scale")
show(figure, "fig-protocol-shift", shift.reset_index(), **FIGURES["fig-protocol-shift"])

# %% tags=["hide-input"]
if "Set14" in sets:
    display(
        Markdown(
            f"On Set14 ×3 the protocol alone moves bicubic by **{shift.loc[('Set14', 3), 'psnr']:+.3f} dB**. "
            "One image makes the difference: `bridge` is grey, and `lapsrn` turns it into RGB, which squeezes its luma into 16..235. "
            "DSRN's lead over DRRN on Set14 ×3 in that table is therefore not like for like."
        )
    )
    by_image = scores[(scores.dataset == "Set14") & (scores.scale == 3)].pivot(index="image", columns="protocol", values="psnr")
    by_image["lapsrn - drrn"] = by_image["lapsrn"] - by_image["drrn"]
    order = by_image["lapsrn - drrn"].abs().sort_values(ascending=False).index
    display(table(by_image.loc[order[:4]].reset_index(), "Set14 ×3, PSNR (dB): the images that move most"))

# %% [markdown]
# ## A learned witness: the released VDSR
#
# Bicubic proves the degradation and the metrics.
# A network proves the whole path: the released weights of VDSR must score what DRRN's Table 2 prints for VDSR.
# The protocol is VDSR's own (`vdsr`): the interpolated image is clipped to the studio range *before it enters the network*.

# %%
weights = vdsr_weights or os.environ.get("SRLIB_VDSR_WEIGHTS", "")
small = [name for name in here if name in ("Set5", "Set14")]
witness = find_record("vdsr_official")
learned = witness.scores if witness else scores.iloc[:0]
if weights and small:
    protocols = VDSR_PROTOCOLS | {"drrn": ("psnr", "ssim")}
    fresh = score_vdsr(weights, small, protocols, progress=False)
    learned = pd.concat([fresh, learned[~learned.dataset.isin(small)]])
    display(Markdown(f"Computed here from `{Path(weights).name}`: {', '.join(small)}."))
if witness:
    date = witness.info["date"][:10]
    display(Markdown(f"The rest is from the committed record of {date}."))
elif not len(learned):
    display(Markdown("No record, and no weights given: pass `-p vdsr_weights FILE.npz`."))

# %% tags=["hide-input"]
if len(learned):
    vdsr_means = learned.groupby(["protocol", "dataset", "scale"])[["psnr", "ssim"]].mean()
    cells = [
        (c, float(vdsr_means.loc[("vdsr", c.dataset, c.scale), c.metric]))
        for c in claims("drrn")
        if c.experiment == "vdsr" and c.where == "Table 2" and ("vdsr", c.dataset, c.scale) in vdsr_means.index
    ]
    alike = sum(c.printed_alike(value) for c, value in cells)
    display(Markdown(f"**VDSR: {alike} of {len(cells)} numbers equal to the printed digit.**"))
    display(comparison(cells, "VDSR: DRRN's Table 2, and the released weights under the vdsr protocol"))
    if text := notes(cells):
        display(Markdown(text))

# %% [markdown]
# Without the clipping, under `drrn`, the same network is better on Set14 than published.
# The cause is once more the grey image `bridge`, whose values leave the studio range:

# %% tags=["hide-input"]
if len(learned):
    figure, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
    ax.axhline(0, color="0.4", linewidth=1)
    for protocol, marker, colour in (("vdsr", "o", COLOURS["vdsr"]), ("drrn", "D", COLOURS["drrn"])):
        gaps = {
            f"{c.dataset}\n×{c.scale}": c.gap(vdsr_means.loc[(protocol, c.dataset, c.scale), "psnr"])
            for c, _ in cells
            if c.metric == "psnr" and (protocol, c.dataset, c.scale) in vdsr_means.index
        }
        ax.plot(list(gaps), list(gaps.values()), marker, color=colour, label=protocol, linestyle="none")
    ax.set_ylabel("ours - published (dB)")
    ax.tick_params(axis="x", labelsize="small")
    ax.legend(title="protocol")
    show(figure, "fig-vdsr-witness", **FIGURES["fig-vdsr-witness"])

# %% [markdown]
# ## What we learned
#
# * With the right protocol the published bicubic rows come back to the printed digit; the few cells that do not carry a note.
# * Two families of numbers circulate for the same method on the same images, and DSRN's Table 1 mixes them.
# * A learned network goes through the same path and lands on the published numbers, so a gap in a later chapter is the model's.
# * One grey image of Set14 decides hundredths of a decibel three times over: as RGB or luma, and clipped or not.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/bicubic.ipynb results/runs/bicubic.ipynb -p datasets Set5,Set14,BSD100,Urban100`
#
# This scores all four test sets; by default it is Set5 alone.
# ```
