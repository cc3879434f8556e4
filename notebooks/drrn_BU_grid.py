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
# # DRRN, Figure 6: the grid of B and U
#
# **Question.** DRRN has two dials: B recursive blocks, and U residual units that share their weights in each block.
# Does turning either one up help ("deeper is still better"), and does only the depth count, or also how it is reached?
#
# The depth is $d = (1 + 2U)B + 1$ (Eq. 7). Parameters grow with B alone, because a block's units share theirs.
# The paper trains eleven structures and colours the grid by the PSNR on Set5 at ×3.

# %% tags=["parameters"]
train: bool = False  # True: train here and now; False: show the records
budget: float = 0.1  # fraction of the recipe's iterations
seed: int = 0  # of weights, patch order and augmentation
device: str = "auto"  # cpu, cuda or auto
B: list[int] = [1, 2]  # recursive blocks; each is combined with each U
U: list[int] = [1, 3]  # residual units a block
width: int = 16  # filters: 128 as in the paper, fewer for a CPU
experiments: list[str] = []  # networks by name, in place of B, U and width
data: str = ""  # training set or folder; default: the experiment's
runs: str = ""  # records of this run; default: below results/runs

# %%
from srlib.parameters import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import Markdown, display

from srlib.datasets import first_at_hand, open_images
from srlib.figures import COLOURS, grid_figure, show, table, use_style
from srlib.models import params
from srlib.papers import claims, get_experiment
from srlib.papers.drrn import experiment
from srlib.records import add_scores, find_records, results_folder, run

use_style()

# %% [markdown]
# ## Method
#
# `srlib.models.drrn` is the network, `srlib.papers.drrn` the recipe.
# The `fast` recipe keeps the architecture, the data and the loss (Eq. 10) and replaces SGD's four days by Adam with a cosine
# schedule; `budget` scales its iterations.
# Narrow variants (16 filters in place of 128, T91 alone, ×3 alone) make the experiment small enough for two CPU cores.
# They show the mechanism; their level is not the paper's, so they have a panel of their own.

# %% tags=["hide-input"]
structures = [get_experiment(name) for name in experiments]
structures = structures or [experiment(b, u, width) for b, u in product(B, U)]
rows = []
for e in structures:
    model = e.make()
    rows.append({"experiment": e.name, "depth d": model.depth, "convolution weights": params(model)})
table(pd.DataFrame(rows), "The structures of this run")

# %% [markdown]
# ## Code: training
#
# Each structure is one call. A killed run goes on where it stopped when the same command is given again.

# %%
training_set = data or first_at_hand(structures[0].data, otherwise="SampleTrain")
test_set = first_at_hand("Set5")
stand_in = test_set != "Set5" or training_set != structures[0].data
here = results_folder() / "runs" / "drrn_BU_grid"
root = Path(runs or here / f"{Path(training_set).name}_budget{budget:g}")
fresh = []
if train:
    images = open_images(test_set)
    for e in structures:
        how = {"budget": budget, "data": training_set, "device": device}
        record = run(e, root, seed, **how)
        record = add_scores(record, images, (3,), ("drrn",), progress=False)
        fresh.append(record)
        psnr = record.mean(test_set, 3, "psnr", "drrn")
        print(f"{e.name}: {record.info['iterations']} iterations in "
              f"{record.info['seconds']:.0f} s, {test_set} ×3 {psnr:.2f} dB")  # fmt: skip
    if stand_in:
        text = f"Trained on {training_set}, scored on {test_set}: not the experiment's "
        display(Markdown(text + "data, so these points stand apart below."))
else:
    display(Markdown("Nothing is trained: records and printed numbers are shown."))

# %% [markdown]
# ## Result

# %% tags=["hide-input"]
published = [c for c in claims("drrn") if (c.where, c.kind, c.metric) == ("Figure 6", "measured", "psnr")]
published += [c for c in claims("drrn") if c.id == "drrn.t2.set5.x3.drrn_b1u9.psnr"]
points = []
for c in published:
    b, u = c.experiment.removeprefix("drrn_b").split("u")
    points.append(
        {"panel": "128", "source": "published", "B": int(b), "U": int(u), "psnr": float(c.value), "seed": "", "budget": 1.0}
    )
committed = [r for r in find_records() if r.info.get("model") == "drrn" and r.info["arguments"].keys() <= {"B", "U", "width"}]
for source, records, where in (("record", committed, "Set5"), ("this run", fresh, test_set)):
    for r in records:
        psnr = r.mean(where, 3, "psnr", "drrn")
        if psnr is not None and r.info["recipe"]["name"] == "fast":
            a = r.info["arguments"]
            panel = "stand-in" if source == "this run" and stand_in else str(a.get("width", 128))
            points.append({"panel": panel, "source": source, "B": a["B"], "U": a["U"], "psnr": psnr,
                           "seed": r.info["seed"], "budget": r.info["budget"]})  # fmt: skip
points = pd.DataFrame(points)

# %% mystnb={"figure": {"name": "fig-bu-grid", "caption": "DRRN's Figure 6 regenerated. Colour: PSNR on Set5 ×3; dashed: equal depth. Hollow squares: the points that the paper's text states (the others are only in its image). Circles: means of committed records. Diamonds: this run."}, "image": {"alt": "Two panels with the number of residual units U across and the number of recursive blocks B upwards. Each trained structure is a point coloured by PSNR; dashed curves mark equal depth. The left panel holds networks of 128 filters, the right panel narrow ones."}} tags=["hide-input"]
mean = points.groupby(["panel", "source", "B", "U"], sort=False).psnr.mean().reset_index()
narrow_width = str(width if width != 128 else 16)
titles = {"128": "128 filters, Set5", narrow_width: f"{narrow_width} filters, T91, Set5"}
if stand_in and fresh:
    titles["stand-in"] = f"{width} filters, {Path(training_set).name}, {test_set}"
show(grid_figure(mean, titles), "fig-bu-grid", points)

# %% [markdown]
# Depth against PSNR shows the same points in one line: if only depth counts, they fall on one curve.

# %% mystnb={"figure": {"name": "fig-bu-depth", "caption": "PSNR on Set5 ×3 against depth, narrow networks: one small point per seed, joined by the mean."}, "image": {"alt": "PSNR against depth for the narrow networks: small points for single seeds and a line through their means."}} tags=["hide-input"]
narrow = points[points.panel == narrow_width].copy()
narrow["depth"] = (1 + 2 * narrow.U) * narrow.B + 1
if narrow.empty:
    display(Markdown("No record of narrow networks yet."))
else:
    figure, ax = plt.subplots(layout="constrained")
    for (source, budget_of), group in narrow.groupby(["source", "budget"]):
        marker = {"record": "o", "this run": "D"}[source]
        colour = COLOURS["drrn"] if source == "record" else COLOURS["vdsr"]
        line = group.groupby("depth").psnr.mean()
        ax.plot(line.index, line, "-", color=colour, linewidth=1)
        ax.plot(group.depth, group.psnr, marker, color=colour, markersize=5, label=f"{source}, budget {budget_of:g}")
    for (b, u), group in narrow.groupby(["B", "U"]):
        ax.annotate(
            f"B{b}U{u}", (group.depth.iloc[0], group.psnr.max()), (0, 6), textcoords="offset points", ha="center", size="small"
        )
    ax.set(xlabel="depth d (convolutions)", ylabel="PSNR on Set5 ×3 (dB)")
    ax.margins(y=0.15)
    ax.legend()
    show(figure, "fig-bu-depth", narrow)

# %% tags=["hide-input"]
summary = []
for (panel, b, u), group in points.groupby(["panel", "B", "U"]):
    row = {"structure": f"B{b}U{u}", "filters": panel, "depth": (1 + 2 * u) * b + 1}
    for source in ("published", "record", *(["this run"] if fresh else [])):
        values = group[group.source == source].psnr
        text = "–" if values.empty else f"{values.mean():.2f}"
        if len(values) > 1:
            text += f" (spread {values.max() - values.min():.2f}, {len(values)} seeds)"
        row[source] = text
    budgets = group[group.source != "published"].budget.unique()
    row["budget of ours"] = ", ".join(f"{x:g}" for x in sorted(budgets)) or "not attempted"
    summary.append(row)
table(pd.DataFrame(summary), "PSNR on Set5 ×3 (dB) under the drrn protocol: published and ours")

# %% tags=["hide-input"]
recorded = narrow[narrow.source == "record"].groupby("depth").psnr
if recorded.ngroups > 2:
    mean_of = recorded.mean()
    rank = mean_of.rank().corr(mean_of.index.to_series().rank())
    text = f"In our narrow records PSNR and depth are rank-correlated by **{rank:+.2f}** over {recorded.ngroups} depths; "
    text += f"the deepest is **{mean_of.iloc[-1] - mean_of.iloc[0]:+.2f} dB** above the shallowest. "
    if recorded.count().max() > 1:
        text += f"Two seeds of one structure differ by up to **{(recorded.max() - recorded.min()).max():.2f} dB**."
    else:
        text += "There is one seed of each, so no spread to compare this with."
    display(Markdown(text))

# %% [markdown]
# ## What we learned
#
# * The full-width structures of the figure stand as *not attempted* above until they have been trained; nothing here fills them in.
# * The narrow networks answer only the claim of order, within the spread of their seeds.
# * At 128 filters the parameter counts are the paper's where it states them, but for B2U3, whose printed count its own formula contradicts.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/drrn_BU_grid.ipynb results/runs/drrn_BU_grid.ipynb -p train True -p B 1,2 -p U 1,3`
#
# Four narrow networks; `-p budget 0.01` makes them a smoke test.
# `-p experiments drrn_b3u2,drrn_b3u3 -p budget 1 -p device cuda` trains networks of the paper's size.
# In the book, the box below the question says what each costs.
# ```
