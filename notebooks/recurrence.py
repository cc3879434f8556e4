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

# %% tags=["parameters", "hide-input"]
seed: int = 0  # of the random weights and the random image
T: int = 7  # unrolling length of ResNet and DSRN; U of DRRN
scale: int = 2  # of DSRN: 2, 3 or 4
width: int = 16  # filters of every network; the papers have 64 to 256

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
import pandas as pd
import torch
from IPython.display import Markdown, Math, display
from torch import nn

from srlib.figures.recurrence import (
    UnitRMS,
    compare_with_models,
    count_by_length,
    depth_figure,
    depth_text,
    equality_text,
    growth_factor,
    growth_figure,
    growth_table,
    growth_text,
    rms_normalised_by,
    state_rms,
)
from srlib.figures.style import show, table, use_style
from srlib.graphs.draw_recurrence import (
    draw_folded_and_unrolled,
    draw_functions,
    equations,
)
from srlib.graphs.recurrence import (
    Unrolled,
    depth,
    drcn,
    drrn,
    dsrn,
    resnet,
    single_state,
    unroll,
)
from srlib.models import DRCN, DRRN, DSRN, SingleState, params
from srlib.models.dsrn import Residual

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
def disturb(model: nn.Module) -> nn.Module:
    """Move all weights and statistics away from their initial values."""
    for p in model.parameters():
        p.add_(0.05 * torch.randn_like(p))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    return model.eval()


# %%
def plain_resnet(shared: bool) -> nn.Sequential:
    """A ResNet of T blocks, of shared weights or of their own."""
    first, last = (
        nn.Conv2d(1, width, 3, padding=1),
        nn.Conv2d(width, 1, 3, padding=1),
    )
    block = Residual(width)
    blocks = [block if shared else Residual(width) for _ in range(T)]
    return disturb(nn.Sequential(first, *blocks, last))


shared_resnet, own_resnet = plain_resnet(shared=True), plain_resnet(shared=False)
drcn_16, drrn_b1 = disturb(DRCN(16, width)), disturb(DRRN(1, T, width))
drrn_b3u3 = disturb(DRRN(3, 3, width))
one_state, two_states = (
    disturb(SingleState(T, width)),
    disturb(DSRN(scale, T, width)),
)
no_feedback = disturb(DSRN(scale, T, width, feedback=False))
untied = disturb(DSRN(scale, T, width, shared=False))
last_state = disturb(DSRN(scale, T, width, average=False))

# %% [markdown]
# Each network has its graph, its model and its images: the one that enters and, for global residual learning, the one to which
# the prediction is added.

# %%
lr, x = torch.rand(1, 1, 24, 20), torch.rand(1, 1, 24, 20)
ilr = torch.rand(1, 1, 24 * scale, 20 * scale)
networks = {
    "ResNet, shared weights": (resnet(shared_resnet), shared_resnet, (x,)),
    "ResNet, own weights": (resnet(own_resnet), own_resnet, (x,)),
    "DRCN": (drcn(drcn_16), drcn_16, (x, x)),
    f"DRRN_B1U{T}": (drrn(drrn_b1), drrn_b1, (x, x)),
    f"DRRN_B1U{T}, skip as input": (
        drrn(drrn_b1, as_input=True),
        drrn_b1,
        (x, x),
    ),
    "DRRN_B3U3 (third block)": (drrn(drrn_b3u3), drrn_b3u3, (x, x)),
    "single state (Table 2)": (single_state(one_state), one_state, (x, x)),
    "DSRN": (dsrn(two_states), two_states, (lr, ilr)),
    "DSRN, no feedback": (dsrn(no_feedback), no_feedback, (lr, ilr)),
    "DSRN, untied": (dsrn(untied), untied, (lr, ilr)),
    "DSRN, last state": (dsrn(last_state), last_state, (lr, ilr)),
}
graphs = {name: graph for name, (graph, _, _) in networks.items()}

# %% [markdown]
# The equations below are read off the graphs, not typed: first DRRN, with its $s^0$ in every step, then DSRN, with a PReLU of its
# own after every step.

# %%
for name in (f"DRRN_B1U{T}", "DSRN"):
    display(Markdown(f"**{name}**"), Math(equations(graphs[name])))

# %% [markdown]
# ## Result: the same network
#
# Each graph is unrolled and compared with the model file on a random image.
# The depth is the longest path through the graph, counted in convolutions.

# %%
for graph, model, _ in networks.values():
    assert params(Unrolled(graph)) == params(model)
    assert depth(graph) == getattr(model, "depth", 2 * T + 2)

differences = compare_with_models(networks)
caption = f"Graphs and model files with the same random weights, {width} filters, outputs of order 1"
table(differences, caption).format(
    {"largest difference": lambda value: f"{value:.0e}" if value else "0"}
)

# %%
display(Markdown(equality_text(differences["largest difference"])))

# %% [markdown]
# ## Result: Figure 1, one state
#
# To the left the folded graph, to the right its first three steps. Arrows of one colour share their weights.

# %%
names = {
    "ResNet": "ResNet, shared weights",
    "DRCN": "DRCN",
    f"DRRN_B1U{T}": f"DRRN_B1U{T}",
}
one_state_graphs = {title: graphs[name] for title, name in names.items()}
figure = draw_folded_and_unrolled(one_state_graphs, min(T, 3))
show(
    figure,
    "fig-recurrence-single",
    pd.DataFrame(),
    **FIGURES["fig-recurrence-single"],
)

# %% [markdown]
# What differs is inside the recurrent function:

# %%
functions = {
    title.partition("_")[0]: (graph, "f_recurrent")
    for title, graph in one_state_graphs.items()
}
show(
    draw_functions(functions),
    "fig-recurrence-functions",
    pd.DataFrame(),
    **FIGURES["fig-recurrence-functions"],
)

# %% [markdown]
# ## Result: Figure 2, two states

# %%
figure = draw_folded_and_unrolled({"": graphs["DSRN"]}, min(T, 3), height=4.2)
show(
    figure,
    "fig-recurrence-dual",
    pd.DataFrame(),
    **FIGURES["fig-recurrence-dual"],
)

# %%
functions = {
    f"$f_\\mathrm{{{name}}}$": (graphs["DSRN"], f"f_{name}")
    for name in ("lr", "hr", "up", "down")
}
show(
    draw_functions(functions),
    "fig-recurrence-dual-functions",
    pd.DataFrame(),
    **FIGURES["fig-recurrence-dual-functions"],
)

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
prediction_of_mean = two_states.f_output(
    torch.stack([s["s_h"] for s in states]).mean(0)
)
gap = (mean_of_predictions - prediction_of_mean).abs().max()
largest = mean_of_predictions.abs().max()
display(
    Markdown(f"Largest difference **{gap:.1e}**, largest value {largest:.2f}.")
)

# %% [markdown]
# The same holds for any loss on $\hat y$ alone, Eq. 6 for one: it is the loss of *one* prediction, from the mean state.
# The paper's "every unrolled layer directly connects to the loss layer" is a path for the gradient, not a loss for each step as in DRCN.
#
# ## Result: depth grows with T, weights do not
#
# The paper: "the maximum number of convolution layers between input and output of the network is 2T+4".
# Below the longest path is counted in the graph for each T; the weights are counted at the papers' widths.

# %%
lengths = [1, 3, 5, 7, 9, 16]
counts = count_by_length(
    {
        "DSRN": [dsrn(DSRN(scale, t)) for t in lengths],
        "DSRN, untied": [dsrn(DSRN(scale, t, shared=False)) for t in lengths],
        "single state": [single_state(SingleState(t)) for t in lengths],
        "DRRN, B = 1": [drrn(DRRN(1, t)) for t in lengths],
        "DRCN (128 filters)": [drcn(DRCN(t, 128)) for t in lengths],
    }
)
show(
    depth_figure(counts),
    "fig-recurrence-depth",
    **FIGURES["fig-recurrence-depth"],
)

# %%
display(Markdown(depth_text(counts, graphs["DSRN"])))

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


# %%
torch.manual_seed(seed)
length = 3 * T
graph = dsrn(DSRN(scale, length, width))
rms = {
    "no normalisation": rms_normalised_by(graph, [], lr),
    "PReLU 0.25 (initial)": rms_normalised_by(graph, [nn.PReLU(init=0.25)], lr),
    "PReLU 0 (as a ReLU)": rms_normalised_by(graph, [nn.PReLU(init=0.0)], lr),
    "PReLU × scalar": rms_normalised_by(
        graph, [nn.Sequential(nn.PReLU(), UnitRMS())], lr
    ),
}
# in training mode, where each normalisation sees its own step
drrn_graph = drrn(DRRN(1, length, width).train())
rms["DRRN (unshared BN)"] = state_rms(drrn_graph, x).rename(columns={"s": "s_h"})

# %%
numbers = pd.concat(rms, names=["network", "step t"]).reset_index()
show(
    growth_figure(rms),
    "fig-recurrence-growth",
    numbers,
    **FIGURES["fig-recurrence-growth"],
)

# %%
slopes = [quarter / 4 for quarter in range(-4, 5)]
by_slope = {
    slope: growth_factor(rms_normalised_by(graph, [nn.PReLU(init=slope)], lr))
    for slope in slopes
}
without, initial = (
    growth_factor(rms["no normalisation"]),
    growth_factor(rms["PReLU 0.25 (initial)"]),
)
text = growth_text(without, initial, by_slope)
display(Markdown(f"{growth_table(rms)}\n\n{text}"))

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
