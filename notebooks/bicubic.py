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

# %% tags=["parameters", "hide-input"]
datasets: list[str] = ["Set5"]  # to score here; the others come from the record
vdsr_weights: str = ""  # VDSR's .npz; default: SRLIB_VDSR_WEIGHTS

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
import os
from pathlib import Path

import pandas as pd
from IPython.display import Markdown, display

from srlib.datasets import data_folder, get_dataset, is_available
from srlib.figures.baselines import (
    bicubic_cells,
    count_equal_bicubic,
    largest_shifts,
    protocol_shift_figure,
    score_means,
    show_comparison,
    vdsr_cells,
    witness_figure,
)
from srlib.figures.style import show, table, use_style
from srlib.papers import TITLES
from srlib.protocol import METRICS
from srlib.records.record import find_record
from srlib.records.run import VDSR_PROTOCOLS, score_bicubic, score_vdsr

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
available = [name for name in datasets if is_available(get_dataset(name).name)]
if missing := [name for name in datasets if name not in available]:
    text = f"Not at hand in `{data_folder()}`: {', '.join(missing)}. "
    text += "Their committed scores are shown. "
    display(
        Markdown(
            text
            + f"To compute them here: `python -m srlib fetch {' '.join(missing)}`."
        )
    )
if not available:
    text = "No test set is at hand: the Sample photographs of scikit-image are scored, "
    display(Markdown(text + "to show that everything runs."))

# %%
computed = score_bicubic(available or ["Sample"], progress=False)
overview = computed.groupby(["dataset", "scale", "protocol"], sort=False)[
    list(METRICS)
].mean()
table(
    overview.reset_index(),
    "Bicubic, computed here: PSNR (dB), SSIM, IFC (bits per pixel)",
)

# %% [markdown]
# The committed record of the same scores serves where a test set is not at hand, and as a check where it is.

# %%
record = find_record("bicubic")
recorded = record.scores if record else computed.iloc[:0]
both = computed.merge(
    recorded,
    on=["dataset", "scale", "image", "protocol"],
    suffixes=("", " recorded"),
)
if len(both):
    largest = max(
        (both[metric] - both[f"{metric} recorded"]).abs().max()
        for metric in METRICS
    )
    text = f"{len(both)} scores computed here; the largest difference to the committed record is {largest:.1e}."
else:
    text = "Nothing computed here is in the committed record."
display(Markdown(text))

# %% [markdown]
# What is compared with the papers are means over each test set, computed here or from the record.

# %%
scores = pd.concat([computed, recorded[~recorded.dataset.isin(available)]])
means = score_means(scores)


def published_and_ours(paper):
    caption = f"Bicubic in {TITLES[paper]}: published and ours"
    show_comparison(bicubic_cells(paper, means), TITLES[paper], caption)


# %% [markdown]
# ## Result: DRRN, and RL-CSC which cites the same numbers

# %%
published_and_ours("drrn")

# %% [markdown]
# RL-CSC prints the same bicubic numbers as DRRN:

# %%
equal, total = count_equal_bicubic("rlcsc", "drrn")
display(Markdown(f"**{equal} of {total}** bicubic numbers in RL-CSC are DRRN's."))

# %% [markdown]
# ## Result: DSRN, another family of numbers
#
# The same images and the same interpolation, but on Set14 the printed PSNR is higher, and the IFC is higher throughout.

# %%
published_and_ours("dsrn")

# %% [markdown]
# ## Result: DRN
#
# DRN prints only the rows at ×3 in the text that we have.

# %%
published_and_ours("drn")

# %% [markdown]
# ## The story of the mixed protocols
#
# DSRN's Table 1 takes its DRRN row from the DRRN paper (`drrn`) and its other quoted rows from `lapsrn`.
# How much is due to the protocol alone? The same bicubic images, scored both ways:

# %%
shift = means.loc["lapsrn"] - means.loc["drrn"]
figure = protocol_shift_figure(shift, scores.dataset.unique())
show(
    figure,
    "fig-protocol-shift",
    shift.reset_index(),
    **FIGURES["fig-protocol-shift"],
)

# %%
if ("Set14", 3) in shift.index:
    text = f"On Set14 ×3 the protocol alone moves bicubic by **{shift.loc[('Set14', 3), 'psnr']:+.3f} dB**. "
    text += "One image makes the difference: `bridge` is grey, and `lapsrn` turns it into RGB, "
    text += "which squeezes its luma into 16..235. "
    text += "DSRN's lead over DRRN on Set14 ×3 in that table is therefore not like for like."
    display(Markdown(text))
    display(
        table(
            largest_shifts(scores, "Set14", 3),
            "Set14 ×3, PSNR (dB): the images that move most",
        )
    )

# %% [markdown]
# ## A learned witness: the released VDSR
#
# Bicubic proves the degradation and the metrics.
# A network proves the whole path: the released weights of VDSR must score what DRRN's Table 2 prints for VDSR.
# The protocol is VDSR's own (`vdsr`): the interpolated image is clipped to the studio range *before it enters the network*.

# %%
weights = vdsr_weights or os.environ.get("SRLIB_VDSR_WEIGHTS", "")
quick_sets = [name for name in available if name in ("Set5", "Set14")]
vdsr_record = find_record("vdsr_official")
vdsr_scores = vdsr_record.scores if vdsr_record else scores.iloc[:0]
if weights and quick_sets:
    protocols = VDSR_PROTOCOLS | {"drrn": ("psnr", "ssim")}
    computed_vdsr = score_vdsr(weights, quick_sets, protocols, progress=False)
    vdsr_scores = pd.concat(
        [computed_vdsr, vdsr_scores[~vdsr_scores.dataset.isin(quick_sets)]]
    )
    display(
        Markdown(
            f"Computed here from `{Path(weights).name}`: {', '.join(quick_sets)}."
        )
    )
if vdsr_record:
    display(
        Markdown(
            f"The rest is from the committed record of {vdsr_record.info['date'][:10]}."
        )
    )
elif not len(vdsr_scores):
    display(
        Markdown(
            "No record, and no weights given: pass `-p vdsr_weights FILE.npz`."
        )
    )

# %%
if len(vdsr_scores):
    vdsr_means = score_means(vdsr_scores)
    vdsr = vdsr_cells(vdsr_means)
    caption = (
        "VDSR: DRRN's Table 2, and the released weights under the vdsr protocol"
    )
    show_comparison(vdsr, "VDSR", caption)

# %% [markdown]
# Without the clipping, under `drrn`, the same network is better on Set14 than published.
# The cause is once more the grey image `bridge`, whose values leave the studio range:

# %%
if len(vdsr_scores):
    show(
        witness_figure(vdsr, vdsr_means),
        "fig-vdsr-witness",
        **FIGURES["fig-vdsr-witness"],
    )

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
