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
datasets: list[str] = ["Set5", "Set14", "BSD100", "Urban100"]  # to score
vdsr_weights: str = ""  # VDSR's .npz; default: SRLIB_VDSR_WEIGHTS

# %%
from srlib.parameters import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from srlib.baselines import score_bicubic, score_vdsr
from srlib.datasets import at_hand, data_folder
from srlib.figures import COLOURS, comparison, notes, table, use_style
from srlib.papers import TITLES, claims
from srlib.protocol import SCALES
from srlib.records import find_record

use_style()

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
here = [name for name in datasets if at_hand(name)]
if missing := [name for name in datasets if name not in here]:
    print(f"Not at hand in {data_folder()}: {', '.join(missing)}.")
    print("Their committed scores are shown instead; to compute them here: python -m srlib fetch", *missing)
if not here:
    print("No test set is at hand: the Sample photographs of scikit-image are scored to show that everything runs.")
computed = score_bicubic(here or ["Sample"], progress=False)
overview = computed.groupby(["dataset", "scale", "protocol"], sort=False)[["psnr", "ssim", "ifc"]].mean()
table(overview.reset_index(), "Bicubic, computed here: PSNR (dB), SSIM, IFC (bits per pixel)")

# %% [markdown]
# The committed record of the same scores serves where a test set is not at hand, and as a check where it is.

# %%
record = find_record("bicubic")
recorded = record.scores if record else computed.iloc[:0]
keys = ["dataset", "scale", "image", "protocol"]
both = computed.merge(recorded, on=keys, suffixes=("", " recorded"))
if len(both):
    largest = max((both[m] - both[f"{m} recorded"]).abs().max() for m in ("psnr", "ssim", "ifc"))
    print(f"{len(both)} scores computed here; the largest difference to the committed record is {largest:.1e}.")
else:
    print("Nothing computed here is in the committed record.")
scores = pd.concat([computed, recorded[~recorded.dataset.isin(here)]])
means = scores.groupby(["protocol", "dataset", "scale"])[["psnr", "ssim", "ifc"]].mean()


def ours(claim, protocol=None):
    key = (protocol or claim.protocol, claim.dataset, claim.scale)
    return float(means.loc[key, claim.metric]) if key in means.index else None


def show(paper):
    cells = [(c, ours(c)) for c in claims(paper) if c.experiment == "bicubic" and c.dataset != "Manga109"]
    known = [c.printed_alike(value) for c, value in cells if value is not None]
    display(Markdown(f"**{TITLES[paper]}: {sum(known)} of {len(known)} numbers equal to the printed digit.**"))
    display(comparison(cells, f"Bicubic in {TITLES[paper]}: published and ours"))
    display(Markdown(notes(cells)))


# %% [markdown]
# ## Result: DRRN, and RL-CSC which cites the same numbers

# %% tags=["hide-input"]
show("drrn")

# %% [markdown]
# RL-CSC prints the same bicubic numbers as DRRN:

# %% tags=["hide-input"]
key = ["dataset", "scale", "metric"]
drrn_rows, rlcsc_rows = (
    {tuple(getattr(c, k) for k in key): c.value for c in claims(paper) if c.experiment == "bicubic"}
    for paper in ("drrn", "rlcsc")
)
equal = sum(drrn_rows[k] == v for k, v in rlcsc_rows.items())
print(f"{equal} of {len(rlcsc_rows)} bicubic numbers in RL-CSC are DRRN's.")

# %% [markdown]
# ## Result: DSRN, another family of numbers
#
# The same images and the same interpolation, but on Set14 the printed PSNR is higher, and the IFC is higher throughout.

# %% tags=["hide-input"]
show("dsrn")

# %% [markdown]
# ## Result: DRN
#
# DRN prints only the rows at ×3 in the text that we have.

# %% tags=["hide-input"]
show("drn")

# %% [markdown]
# ## The story of the mixed protocols
#
# DSRN's Table 1 takes its DRRN row from the DRRN paper (`drrn`) and its other quoted rows from `lapsrn`.
# How much is due to the protocol alone? The same bicubic images, scored both ways:

# %% mystnb={"figure": {"name": "fig-protocol-shift", "caption": "What changing the protocol from `drrn` to `lapsrn` does to the scores of one and the same method, bicubic interpolation."}, "image": {"alt": "Two bar charts over the test sets, grouped by scale: the change of PSNR, which stands out on Set14, and the change of IFC, which is positive everywhere and largest at scale 2."}} tags=["hide-input"]
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
plt.show()

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

# %%
weights = vdsr_weights or os.environ.get("SRLIB_VDSR_WEIGHTS", "")
small = [name for name in here if name in ("Set5", "Set14")]
witness = find_record("vdsr_official")
if weights and small:
    learned = score_vdsr(weights, small, progress=False)
    print(f"Computed here from {Path(weights).name} on {', '.join(small)}.")
elif witness:
    learned = witness.scores
    print(f"From the committed record of {witness.info['date'][:10]} (commit {witness.info['commit'][:8]}).")
else:
    learned = scores.iloc[:0]
    print("No record, and no weights given: pass -p vdsr_weights FILE.npz.")
if witness and weights:
    learned = pd.concat([learned, witness.scores[~witness.scores.dataset.isin(small)]])

# %% tags=["hide-input"]
if len(learned):
    vdsr_means = learned.groupby(["dataset", "scale"])[["psnr", "ssim"]].mean()
    cells = [
        (c, float(vdsr_means.loc[(c.dataset, c.scale), c.metric]))
        for c in claims("drrn")
        if c.experiment == "vdsr" and c.where == "Table 2" and (c.dataset, c.scale) in vdsr_means.index
    ]
    display(comparison(cells, "VDSR as DRRN's Table 2 prints it, and its released weights under our drrn protocol"))

# %% mystnb={"figure": {"name": "fig-vdsr-witness", "caption": "The released VDSR network under `drrn`: our PSNR minus the published one."}, "image": {"alt": "A dot for each test set and scale showing the difference between our score of VDSR's released weights and the published score, with a band of plus and minus 0.05 dB."}} tags=["hide-input"]
if len(learned):
    psnr = [(c, value) for c, value in cells if c.metric == "psnr"]
    figure, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
    ax.axhspan(-0.05, 0.05, color="0.9", label="tolerance ±0.05 dB")
    ax.axhline(0, color="0.4", linewidth=1)
    ax.plot(
        [f"{c.dataset}\n×{c.scale}" for c, _ in psnr], [c.gap(v) for c, v in psnr], "o", color=COLOURS["vdsr"], label="VDSR"
    )
    ax.set_ylabel("ours - published (dB)")
    ax.tick_params(axis="x", labelsize="small")
    ax.legend()
    plt.show()

# %% [markdown]
# ## What we learned
#
# * With the right protocol the published bicubic rows come back to the printed digit; the few cells that do not carry a note.
# * Two families of numbers circulate for the same method on the same images, and DSRN's Table 1 mixes them.
# * A learned network goes through the same path and lands where the papers say, so a gap in a later chapter is the model's.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/bicubic.ipynb results/runs/bicubic.ipynb -p datasets Set5,Set14`
# ```
