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
# # DSRN, Sections 3 and 4: one recurrent network behind four
#
# **Question.** DSRN's paper says that ResNet, DRCN and DRRN are one recurrent network with one state, unrolled, and that DSRN is
# the same with two states. Is that exactly so, with the same weights and to the last bit?
#
# Here the paper's drawings are made executable.
# A graph of states and transition functions is built from the layers of each model, computed, compared with the model file and
# drawn; the thing drawn and the thing computed are one object.

# %% tags=["parameters"]
train: bool = False  # unused here: the identities hold for any weights
budget: float = 1.0  # unused here
seed: int = 0  # of the random weights and the random image
device: str = "cpu"  # unused here: the CPU's sums are repeatable
T: int = 7  # unrolling length of ResNet and DSRN; U of DRRN
scale: int = 2  # of DSRN: 2, 3 or 4
width: int = 16  # filters of every network; the papers have 64 to 256

# %%
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import torch
from IPython.display import Markdown, Math, display
from torch import nn

from srlib.figures.style import COLOURS, show, table, use_style
from srlib.graphs.draw_recurrence import draw_folded, draw_functions, draw_unrolled, equations
from srlib.graphs.recurrence import Unrolled, depth, drcn, drrn, dsrn, resnet, single_state, unroll
from srlib.models import params
from srlib.models.drcn import DRCN
from srlib.models.drrn import DRRN
from srlib.models.dsrn import DSRN, Residual, SingleState

torch.manual_seed(seed)
torch.set_grad_enabled(False)
use_style()

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-recurrence-single": {
        "caption": (
            "DSRN's Figure 1 (a) and (b) for ResNet, DRCN and DRRN, drawn from the graphs that were computed above. Black"
            " square: delay by one step; square with 0: always from the first state; dashed: the zero function. Three of "
            "the steps are shown. ResNet and DRRN read the last state, DRCN takes a weighted sum of all predictions."
        ),
        "alt": (
            "Three rows, ResNet, DRCN and DRRN. Left: input x, state s and output y in a column, with a loop at s for the"
            " delayed recurrent function; DRRN has a second loop, the skip from the first state. Right: the states s0 to "
            "s3 in a row joined by arrows of one colour; in ResNet and DRRN the last state makes the output, in DRCN each"
            " state does and the outputs run into a weighted sum; in DRRN arcs lead from s0 to every later state."
        ),
    },
    "fig-recurrence-functions": {
        "caption": (
            "Figure 1 (c) to (e): the recurrent functions of ResNet, DRCN and DRRN, layer by layer. A raised t marks a "
            "layer that every step has for itself: DRRN shares its convolutions and not its batch normalisation."
        ),
        "alt": (
            "Three chains of boxes from the state before to the state of step t. ResNet: convolution, ReLU, convolution, "
            "plus a skip from the state before. DRCN: convolution, ReLU. DRRN: batch normalisation, ReLU, convolution, "
            "twice, plus a skip from the first state."
        ),
    },
    "fig-recurrence-dual": {
        "caption": (
            "DSRN's Figure 2, folded and for three steps: the HR state above, the LR state below. Arrows of one colour "
            "and name share their weights; the HR state starts at zero and is absent at step 0. Every prediction counts "
            "in the mean."
        ),
        "alt": (
            "Left: x, the LR state, the HR state and y in a column; each state has a delayed loop, f_up leads up within a"
            " step and f_down leads down with a delay. Right: three steps; the LR states in the lower row joined by f_lr,"
            " the HR states above joined by f_hr, f_up vertically upwards, f_down diagonally to the next LR state, and "
            "three predictions on top that run into their mean."
        ),
    },
    "fig-recurrence-dual-functions": {
        "caption": (
            "The four transition functions of DSRN's Figure 2: two residual blocks, and one strided layer up and one "
            "down. What enters a state is summed and goes through that step's PReLU."
        ),
        "alt": (
            "Four chains of boxes: f_lr and f_hr are convolution, ReLU, convolution plus a skip; f_up is one transposed "
            "convolution; f_down is one strided convolution."
        ),
    },
    "fig-recurrence-depth": {
        "caption": (
            "Left: convolutions on the longest path of the graph against the number of steps T (U for DRRN with B = 1). "
            "Right: convolution weights at 128 filters; sharing makes them independent of T."
        ),
        "alt": (
            "Left: four straight lines of depth against T; DSRN rises with slope two, the single-state network one below "
            "it, DRRN two below it, DRCN with slope one. Right: the weights of DSRN are constant in T, those of the "
            "untied DSRN rise linearly."
        ),
    },
    "fig-recurrence-growth": {
        "caption": (
            "Root mean square of the states of an untrained DSRN against the step, on a logarithmic axis: solid the HR "
            "state, dotted the LR state. A straight line is exponential growth. DRRN has one state."
        ),
        "alt": (
            "Root mean square of the states against the step t, logarithmic. Without normalisation it rises as a straight"
            " line; with either PReLU a little less steeply, but still as a straight line; with PReLU and a scalar it "
            "stays at one; DRRN with batch normalisation stays flat, too."
        ),
    },
}

# %% [markdown]
# ## Method
#
# A recurrent network is a set of states and of transition functions between them. With one recurrent state $s$ (Eq. 1):
#
# $$s^t = f_\mathrm{input}(x^t) + f_\mathrm{recurrent}(s^{t-1}), \qquad y^t = f_\mathrm{output}(s^t)$$
#
# and with one state at low and one at high resolution (Eq. 2):
#
# $$\begin{aligned} s_h^t &= f_\mathrm{up}(s_l^t) + f_\mathrm{hr}(s_h^{t-1}), \\
# s_l^t &= f_\mathrm{input}(x^t) + f_\mathrm{lr}(s_l^{t-1}) + f_\mathrm{down}(s_h^{t-1}). \end{aligned}$$
#
# In all of them $f_\mathrm{input}(x^t) = 0$ (Eq. 3): the image enters once, through $s^0$.
# `srlib.graphs.recurrence` holds such a system as states and links.
# A link has a source, a target, a function and a delay: 1 for the black square of Figure 1, 0 within a step.
# Five functions build the graph of a model out of *its own layers*, so that both have the same weights.

# %% [markdown]
# ## Code: graphs from models
#
# The weights are random and then disturbed, biases, PReLU slopes, ensemble weights and the statistics of the batch normalisation
# included, so that an equality cannot come from zeros and ones.


# %%
def stirred(model: nn.Module) -> nn.Module:
    for p in model.parameters():
        p.add_(0.05 * torch.randn_like(p))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


def plain_resnet(shared: bool) -> nn.Sequential:
    first, last = nn.Conv2d(1, width, 3, padding=1), nn.Conv2d(width, 1, 3, padding=1)
    block = Residual(width)
    blocks = [block if shared else Residual(width) for _ in range(T)]
    return stirred(nn.Sequential(first, *blocks, last))


tied, own = plain_resnet(shared=True), plain_resnet(shared=False)
kim, tai = stirred(DRCN(16, width)), stirred(DRRN(1, T, width))
tai3 = stirred(DRRN(3, 3, width))
one, two = stirred(SingleState(T, width)), stirred(DSRN(scale, T, width))
no_feedback = stirred(DSRN(scale, T, width, feedback=False))
untied = stirred(DSRN(scale, T, width, shared=False))
last_state = stirred(DSRN(scale, T, width, average=False))

# name: the graph, the model, the image, and, for global residual learning,
# the image to which the prediction is added
lr, x = torch.rand(1, 1, 24, 20), torch.rand(1, 1, 24, 20)
ilr = torch.rand(1, 1, 24 * scale, 20 * scale)
networks = {
    "ResNet, shared weights": (resnet(tied), tied, (x,)),
    "ResNet, own weights": (resnet(own), own, (x,)),
    "DRCN": (drcn(kim), kim, (x, x)),
    f"DRRN_B1U{T}": (drrn(tai), tai, (x, x)),
    f"DRRN_B1U{T}, skip as input": (drrn(tai, as_input=True), tai, (x, x)),
    "DRRN_B3U3 (third block)": (drrn(tai3), tai3, (x, x)),
    "single state (Table 2)": (single_state(one), one, (x, x)),
    "DSRN": (dsrn(two), two, (lr, ilr)),
    "DSRN, no feedback": (dsrn(no_feedback), no_feedback, (lr, ilr)),
    "DSRN, untied": (dsrn(untied), untied, (lr, ilr)),
    "DSRN, last state": (dsrn(last_state), last_state, (lr, ilr)),
}
graphs = {name: graph for name, (graph, _, _) in networks.items()}

# %% [markdown]
# The equations below are read off the graphs, not typed: first DRRN, with its $s^0$ in every step, then DSRN, with a PReLU of its
# own after every step.

# %% tags=["hide-input"]
for name in (f"DRRN_B1U{T}", "DSRN"):
    display(Markdown(f"**{name}**"), Math(equations(graphs[name])))

# %% [markdown]
# ## Result: the same network
#
# Each graph is unrolled and compared with the model file on a random image.
# The depth is the longest path through the graph, counted in convolutions.

# %% tags=["hide-input"]
rows, gaps = [], {}
for name, (graph, model, given) in networks.items():
    y = model(*given[: 2 if isinstance(model, DSRN) else 1])
    gaps[name] = float((Unrolled(graph)(*given) - y).abs().max())
    rows.append(
        {
            "structure": name,
            "T": graph.T,
            "states": len(graph.states),
            "links": len(graph.links),
            "delayed": sum(link.delay > 0 for link in graph.links),
            "depth": depth(graph),
            "weights": params(Unrolled(graph)),
            "largest difference": "0" if gaps[name] == 0 else f"{gaps[name]:.0e}",
        }
    )
    assert params(Unrolled(graph)) == params(model)
    assert depth(graph) == getattr(model, "depth", 2 * T + 2)
table(pd.DataFrame(rows), f"Graphs and model files with the same random weights, {width} filters, outputs of order 1")

# %% tags=["hide-input"]
exact = [name for name, gap in gaps.items() if gap == 0]
text = f"**{len(exact)} of {len(gaps)} graphs equal their model file to the last bit.**"
if len(exact) < len(gaps):
    text += f" The others differ by rounding, at most {max(gaps.values()):.0e}."
display(Markdown(text))

# %% [markdown]
# ## Result: Figure 1, one state
#
# To the left the folded graph, to the right its first three steps. Arrows of one colour share their weights.

# %% tags=["hide-input"]
figure, axes = plt.subplots(3, 2, figsize=(9.2, 9.6), width_ratios=[3.7, 9.5], layout="constrained")
for (left, right), name in zip(axes, ("ResNet, shared weights", "DRCN", f"DRRN_B1U{T}"), strict=True):
    draw_folded(graphs[name], axes=left)
    draw_unrolled(graphs[name], min(T, 3), axes=right)
    left.set_title(name.partition(",")[0], loc="left", fontweight="bold")
plt.show()

# %% [markdown]
# What differs is inside the recurrent function:

# %% tags=["hide-input"]
of = {"ResNet": "ResNet, shared weights", "DRCN": "DRCN", "DRRN": f"DRRN_B1U{T}"}
draw_functions({title: (graphs[name], "f_recurrent") for title, name in of.items()})
plt.show()

# %% [markdown]
# ## Result: Figure 2, two states

# %% tags=["hide-input"]
figure, axes = plt.subplots(1, 2, figsize=(9.2, 4.2), width_ratios=[3.7, 9.5], layout="constrained")
draw_folded(graphs["DSRN"], axes=axes[0])
draw_unrolled(graphs["DSRN"], min(T, 3), axes=axes[1])
plt.show()

# %% tags=["hide-input"]
draw_functions({f"$f_\\mathrm{{{n}}}$": (graphs["DSRN"], f"f_{n}") for n in ("lr", "hr", "up", "down")})
plt.show()

# %% [markdown]
# ## Result: Eq. 5, the mean of the predictions
#
# $f_\mathrm{output}$ is one convolution, the same at every step. It is linear, so the mean of $T$ predictions is the prediction of
# the mean state, and the deep supervision of the average costs one convolution instead of $T$:
#
# $$\frac{1}{T} \sum_{t=1}^{T} f_\mathrm{output}(s_h^t) = f_\mathrm{output}\Bigl(\frac{1}{T} \sum_{t=1}^{T} s_h^t\Bigr).$$

# %%
states = unroll(graphs["DSRN"], lr)[1:]
mean_of_predictions = torch.stack([s["y"] for s in states]).mean(0)
prediction_of_mean = two.f_output(torch.stack([s["s_h"] for s in states]).mean(0))
gap = (mean_of_predictions - prediction_of_mean).abs().max()
largest = mean_of_predictions.abs().max()
display(Markdown(f"Largest difference **{gap:.1e}**, largest value {largest:.2f}."))

# %% [markdown]
# The same holds for any loss on $\hat y$ alone, Eq. 6 for one: it is the loss of *one* prediction, from the mean state.
# The paper's "every unrolled layer directly connects to the loss layer" is a path for the gradient, not a loss for each step as in DRCN.
#
# ## Result: depth grows with T, weights do not
#
# The paper: "the maximum number of convolution layers between input and output of the network is 2T+4".
# Below the longest path is counted in the graph for each T; the weights are counted at the papers' widths.

# %% tags=["hide-input"]
steps = [1, 3, 5, 7, 9, 16]
made = {
    "DSRN": [dsrn(DSRN(scale, t)) for t in steps],
    "DSRN, untied": [dsrn(DSRN(scale, t, shared=False)) for t in steps],
    "single state": [single_state(SingleState(t)) for t in steps],
    "DRRN, B = 1": [drrn(DRRN(1, t)) for t in steps],
    "DRCN (128 filters)": [drcn(DRCN(t, 128)) for t in steps],
}
looks = {
    "DSRN": {"color": COLOURS["dsrn"], "marker": "o"},
    "DSRN, untied": {"color": COLOURS["dsrn"], "marker": "o", "linestyle": "--", "markerfacecolor": "none"},
    "single state": {"color": COLOURS["rlcsc"], "marker": "D"},
    "DRRN, B = 1": {"color": COLOURS["drrn"], "marker": "s"},
    "DRCN (128 filters)": {"color": COLOURS["vdsr"], "marker": "^"},
}
depths = {name: [depth(g) for g in of_t] for name, of_t in made.items()}
weights = {name: [params(Unrolled(g)) for g in of_t] for name, of_t in made.items()}
figure, axes = plt.subplots(1, 2, figsize=(9.2, 3.8), layout="constrained")
for name, look in looks.items():
    if name != "DSRN, untied":
        axes[0].plot(steps, depths[name], **look, label=name)
    axes[1].plot(steps, [w / 1e6 for w in weights[name]], **look, label=name)
axes[0].set(xlabel="T (steps)", ylabel="depth (convolutions)", xticks=steps)
axes[1].set(xlabel="T (steps)", ylabel="weights (millions)", xticks=steps, yscale="log")
axes[1].set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
handles, labels = axes[1].get_legend_handles_labels()
figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
show(figure, "fig-recurrence-depth", **FIGURES["fig-recurrence-depth"])

# %% tags=["hide-input"]
as_printed = all(d == 2 * t + 4 for d, t in zip(depths["DSRN"], steps, strict=True))
seven = steps.index(7)
display(
    Markdown(
        f"Depth 2T + 4 holds for all {len(steps)} values of T: **{as_printed}**. At T = 7 DSRN has **{weights['DSRN'][seven]:,}** "
        f"weights with sharing and **{weights['DSRN, untied'][seven]:,}** without, "
        f"{weights['DSRN, untied'][seven] / weights['DSRN'][seven]:.1f} times as many. The feedback adds no depth: without "
        f"$f_\\mathrm{{down}}$ the longest path at T = {T} is {depth(graphs['DSRN'].without('f_down'))} as well, because up and down "
        "are two convolutions, as many as the residual block that they bypass."
    )
)

# %% [markdown]
# ## Result: "an exponential increase in the scale of feature values"
#
# Section 5.2 observes that Eq. 2 "may lead to an exponential increase in the scale of feature values", and normalises it "with two
# scalar parameters": one PReLU for each state and step.
# A PReLU multiplies negative values by its parameter and leaves positive values as they are.
# So it can dampen the growth, but hardly stop it.
#
# An untrained DSRN shows this. One graph is computed with four things behind its states: nothing; the PReLU as it is initialised
# (0.25); a PReLU of 0, which removes all that is negative; and a PReLU times a scalar, chosen here at each step to give the state a
# root mean square of 1.
# Beside them stands DRRN, which has the remedy the paper quotes: batch normalisation that is not shared among the steps.


# %% tags=["hide-input"]
class UnitScale(nn.Module):
    def forward(self, s):
        return s / s.square().mean().sqrt()


def prelu(slope):
    p = nn.PReLU(init=slope)
    return (p,)


def rms(s):
    return float(s.square().mean().sqrt())


torch.manual_seed(seed)
length = 3 * T
graph = dsrn(DSRN(scale, length, width))
variants = {
    "no normalisation": (),
    "PReLU 0.25 (initial)": prelu(0.25),
    "PReLU 0 (as a ReLU)": prelu(0.0),
    "PReLU × scalar": (nn.Sequential(nn.PReLU(), UnitScale()),),
}


def sizes_of(graph, image, states=("s_h", "s_l")):
    """Root mean square of each state at t = 1 .. T."""
    found = unroll(graph, image)[1:]
    return pd.DataFrame({s: [rms(at_t[s]) for at_t in found] for s in states}, index=range(1, length + 1))


def normalised(normalise):
    """The graph with something else behind its states."""
    return replace(graph, states=tuple(replace(s, normalise=normalise) for s in graph.states))


def growth(frame):
    """Mean factor by which the first state grows a step."""
    return (frame.iloc[-1, 0] / frame.iloc[0, 0]) ** (1 / (length - 1))


sizes = {name: sizes_of(normalised(normalise), lr) for name, normalise in variants.items()}
# in training mode, where each normalisation sees its own step
sizes["DRRN (unshared BN)"] = sizes_of(drrn(DRRN(1, length, width).train()), x, ("s",)).set_axis(["s_h"], axis=1)
factor = {name: growth(frame) for name, frame in sizes.items()}
by_slope = {slope / 4: growth(sizes_of(normalised(prelu(slope / 4)), lr)) for slope in range(-4, 5)}
best = min(by_slope, key=by_slope.get)

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
markers = dict(zip(sizes, ("o", "s", "D", "^", "v"), strict=True))
for k, (name, frame) in enumerate(sizes.items()):
    ax.plot(frame.index, frame.s_h, color=f"C{k}", marker=markers[name], markersize=4, label=name)
    if "s_l" in frame:
        ax.plot(frame.index, frame.s_l, color=f"C{k}", linestyle=":")
if length > 7:
    ax.axvline(7, color="0.6", linewidth=1, linestyle="--", zorder=0)
    ax.text(6.8, 0.97, "the paper's T", transform=ax.get_xaxis_transform(), va="top", ha="right", color="0.35", size="small")
ax.xaxis.get_major_locator().set_params(integer=True)
ax.set(yscale="log", xlabel="step t", ylabel="root mean square of the state")
ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
frame = pd.concat(sizes, names=["network", "step t"]).reset_index()
show(figure, "fig-recurrence-growth", frame, **FIGURES["fig-recurrence-growth"])

# %% tags=["hide-input"]
seventh = min(7, length)
lines = [f"| {name} | {factor[name]:.2f} | {f.s_h.loc[seventh] / f.s_h.loc[1]:,.1f} |" for name, f in sizes.items()]
display(
    Markdown(
        "\n".join(
            [f"| behind the states | growth of the HR state a step | from step 1 to {seventh} |", "|:--|--:|--:|", *lines]
        )
        + f"\n\nAs initialised, the PReLU changes the growth of the HR state from a factor of **{factor['no normalisation']:.2f}** a step "
        f"to **{factor['PReLU 0.25 (initial)']:.2f}**. Of {len(by_slope)} slopes from {min(by_slope):g} to {max(by_slope):g}, the one that "
        f"dampens most is {best:g}, and it leaves **{by_slope[best]:.2f}**: still exponential."
    )
)

# %% [markdown]
# ## What we learned
#
# * The claim holds. ResNet with shared weights, DRCN, DRRN and DSRN come out of one `unroll` with the weights of the model files.
#   Variants are edits of a graph: taking away one link is the ablation without feedback.
# * **DRRN does not quite fit Eq. 1.** Its skip starts at $s^0$, not at $s^{t-1}$, so no function of $s^{t-1}$ alone expresses it.
#   Either the graph gets a link from the first state (Figure 1e), or $f_\mathrm{input}$ is not zero: with $x^t$ the image at all steps
#   and $f_\mathrm{input}(x^t) = H^0$, DRRN is Eq. 1 as printed. Both give the same bits above. Eq. 3 holds for the first reading only.
# * **"Six transition functions" lists four.** The graph has six links: the four of Figure 2, $f_\mathrm{input}$ and $f_\mathrm{output}$.
#   As $f_\mathrm{input} = 0$, five of them do something.
# * **$s_h^0 = 0$ is not nothing.** A transition function with biases maps zero to something else.
#   We leave the links of $s_h^0$ out of the first step.
# * **A PReLU cannot bound a growing state.** It scales negative values only. What the paper describes, "normalizing the scale with
#   two scalar parameters", needs the scalar to act on positive values as well; the model file offers this as `normalise="prelu_gain"`.
#   This page shows untrained networks: how far training corrects the growth, by smaller weights for one, it does not say.
# * Averaging predictions (Eq. 5) is predicting from the average, as the output layer is linear.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/recurrence.ipynb results/runs/recurrence.ipynb -p T 9 -p scale 3 -p width 32`
#
# No data is needed.
# To draw a network of your own: build a `Recurrence` of `State`s and `Link`s, then `draw_unrolled` it.
# ```
