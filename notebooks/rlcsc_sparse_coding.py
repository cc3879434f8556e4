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
# # RL-CSC: the sparse coding behind the recursion
#
# **Question.** RL-CSC is not designed but "deduced from LISTA": sparse coding, its solver, the solver learned, the solver made of
# convolutions.
# Does each step of that deduction hold when it is executed, and how much of sparse coding is left in the network at its end?
#
# Nothing here needs data or a GPU. All signals are made, so that the right codes are known.

# %% tags=["parameters", "hide-input"]
train: bool = False  # True: ten times the training steps; False: a short training
budget: float = 1.0  # fraction of LISTA's training steps
seed: int = 0  # of dictionary, signals and training batches
n: int = 32  # numbers in a signal y
m: int = 64  # atoms of the dictionary, numbers in a code z
used: int = 4  # atoms in each signal
lam: float = 0.1  # weight of the l1-norm
K: list[int] = [1, 2, 4, 8, 16]  # recursions; one LISTA is trained for each

# %% tags=["hide-input"]
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %%
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from torch.nn import functional as F

from srlib.figures.sparse_codes import (
    bias_table,
    code_figure,
    kernel_size_figure,
    lista_figure,
    lista_table,
    lista_text,
    maps_figure,
    step_length_figure,
    step_length_text,
    threshold_figure,
)
from srlib.figures.structures import multipath_figure
from srlib.figures.style import show, table, use_style
from srlib.graphs.sparse_coding import (
    LISTA,
    fista,
    ista,
    ista_weights,
    mu_max,
    objective,
    soft_threshold,
    soft_threshold_plus,
    synthesis,
)
from srlib.models.drrn import RecursiveBlock
from srlib.models.rlcsc import RLCSC

use_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # what is equal shall be equal to rounding

# %% tags=["hide-input"]
# Captions, and what is seen for those who cannot see it.
FIGURES = {
    "fig-soft-threshold": {
        "caption": (
            "The soft threshold of sparse coding (Eq. 3), its non-negative form (Eq. 10), and the ReLU of RL-CSC, which "
            "is the latter with θ = 0."
        ),
        "alt": (
            "Three curves over the input alpha from -3 to 3. The soft threshold is zero between minus theta and theta and"
            " runs parallel to the diagonal on both sides. The non-negative one agrees with it on the right and is zero "
            "on the left. ReLU without bias starts to rise at zero already."
        ),
    },
    "fig-known-code": {
        "caption": (
            "One signal: the code that made it, and the minimum of Eq. 1. The l1-norm has its price: weights come out "
            "smaller, by about λ, and atoms weaker than that may be left out."
        ),
        "alt": (
            "Stem plot over the atom number. Hollow circles mark the few atoms that made the signal, filled dots the code"
            " that was found: at the strong ones of these atoms, with slightly smaller values, and zero nearly everywhere"
            " else."
        ),
    },
    "fig-lista": {
        "caption": (
            "ISTA, FISTA and LISTA on signals that LISTA was not trained on. Left: how far the objective (Eq. 1) is above"
            " its minimum. Right: error of the code against the one that made the signal; the minimum itself has the "
            "dashed error."
        ),
        "alt": (
            "Two panels against the number of steps or recursions on a logarithmic axis. Left, the gap to the minimum: "
            "ISTA falls slowly, FISTA faster in the end, learned LISTA is far below both at few recursions; crosses of "
            "untrained LISTA lie on ISTA's curve. Right, the error of the code in dB shows the same order, down to a "
            "dashed floor."
        ),
    },
    "fig-ista-l": {
        "caption": "ISTA with L above and below the largest eigenvalue of DᵀD. The paper's L ≤ μ_max admits the dotted curve.",
        "alt": (
            "Gap to the minimum against the step for four values of L. With twice mu_max it falls slowly, with mu_max "
            "faster, with 0.6 mu_max fastest. With 0.4 mu_max it rises beyond all bounds within a few steps."
        ),
    },
    "fig-conv-codes": {
        "caption": (
            "Convolutional sparse coding. Above: the image, what the codes make of it, and what they leave. Below: the "
            "map of each filter (above it); hollow: the places that made the image, filled: those found, the area is the "
            "coefficient."
        ),
        "alt": (
            "Upper row: a noisy image of bars, diagonal strokes and rings, its clean reconstruction, and a residual of "
            "noise. Lower row: three sparse maps, one for each filter, in which the filled dots found lie inside the "
            "hollow circles of the truth."
        ),
    },
    "fig-s-size": {
        "caption": (
            "The recursion of Eq. 9 with the exact S and with its middle s × s taps, on the image above. The vertical "
            "line: RL-CSC's K = 25, K + 1 steps."
        ),
        "alt": (
            "Gap to the minimum against the number of steps. FISTA falls fastest; crosses of the exact S lie on the curve"
            " of ISTA; the cropped S falls at first, stays above them and then stops falling or rises."
        ),
    },
    "fig-multipath": {
        "caption": (
            "Three steps of either recursion. The line above is the path by which the first features reach every step; "
            "boxes of one name share their weights."
        ),
        "alt": (
            "Two rows with the same wiring. In each, a first box feeds three pairs of a box and a plus sign in a row, and"
            " a line above feeds the same features to each plus sign. In DRRN's row the boxes are the residual function "
            "F, in RL-CSC's row ReLU and the convolution S."
        ),
    },
}

# %% [markdown]
# ## Method
#
# Sparse coding explains a signal $y$ by few columns ("atoms") of a dictionary $D$:
#
# $$
# \min_z \; \tfrac12 \|y - D z\|_2^2 + \lambda \|z\|_1 . \tag{1}
# $$
#
# ISTA steps down the first term and thresholds for the second (Eqs. 2 and 3).
# Multiplied out, it is a recursion with two fixed matrices, and LISTA *learns* these and the threshold (Eq. 4):
#
# $$
# \begin{aligned}
# z_{k+1} &= h_{\lambda/L}\!\left(z_k + \tfrac1L D^T (y - D z_k)\right) = h_\theta(W_e\, y + G z_k), \\
# W_e &= \tfrac1L D^T, \quad G = I - \tfrac1L D^T D, \quad \theta = \tfrac{\lambda}{L} .
# \end{aligned}
# $$
#
# With filters for atoms, $W_e$ and $G$ become the convolutions $W_1$ and $S$ (Eq. 9), and ReLU takes the place of $h_\theta$.
# `srlib.graphs.sparse_coding` is these equations; `tests/graphs/test_sparse_coding.py` holds them to closed forms, to an outside
# optimiser and to the published bounds.
#
# ### ReLU is a soft threshold
#
# $h_\theta(\alpha) = \mathrm{sign}(\alpha) \max(|\alpha| - \theta, 0)$ leaves small values out and shortens the others (Eq. 3).
# For codes that must not be negative the lower half falls away, and what stays is a ReLU with bias $-\theta$ (Eq. 10).

# %%
show(threshold_figure(), "fig-soft-threshold", **FIGURES["fig-soft-threshold"])

# %% [markdown]
# ## Code: a dictionary with known codes
#
# Each signal is a sum of a few random unit atoms with normally distributed weights.

# %%
D = F.normalize(torch.randn(n, m), dim=0)
L = mu_max(D)


def draw_codes(N):
    """N codes with `used` atoms each."""
    keep = torch.rand(N, m).argsort(1) < used
    return keep * torch.randn(N, m)


z_true = draw_codes(100)  # for testing
y = synthesis(D, z_true)
z_min = fista(y, D, lam, 2000)[-1]  # the minimum of Eq. 1, to rounding

# %%
show(
    code_figure(z_true[0], z_min[0]),
    "fig-known-code",
    **FIGURES["fig-known-code"],
)

# %% [markdown]
# LISTA starts at ISTA's weights. Untrained it must therefore be ISTA, which is checked before it is trained.
# As Gregor and LeCun did, we train a network for each number of recursions, on the distance to the minimum of Eq. 1.

# %%
max_steps = max(200, *K)  # of the solvers
z_ista, z_fista = ista(y, D, lam, max_steps), fista(y, D, lam, max_steps)
with torch.no_grad():
    z_untrained = {k: LISTA(D, lam, k)(y) for k in K}
difference = max((z_untrained[k] - z_ista[k]).abs().max().item() for k in K)

# %%
training_y = synthesis(D, draw_codes(12_800)).float()
training_z = torch.cat(
    [fista(part, D.float(), lam, 100)[-1] for part in training_y.split(1280)]
)
training_steps = max(1, round(budget * (4000 if train else 400)))


def learn(k):
    """A LISTA of k recursions, trained on signals drawn from the same dictionary."""
    net = LISTA(D.float(), lam, k)
    optimiser = torch.optim.Adam(net.parameters(), 0.004)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, training_steps
    )
    for step in range(training_steps):
        batch = torch.arange(step * 128, (step + 1) * 128) % len(training_y)
        loss = (net(training_y[batch]) - training_z[batch]).square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net


# %%
learned = {k: learn(k) for k in K}
with torch.no_grad():
    z_learned = {k: net(y.float()).double() for k, net in learned.items()}

# %% [markdown]
# ## Result: few learned steps do the work of many

# %%
minimum = objective(y, D, z_min, lam).mean()


def gap(z):
    """The objective above its minimum, mean over signals."""
    return (objective(y, D, z, lam).mean() - minimum).item()


def error(z):
    """Energy of the error of the code over the energy of the true one, in dB."""
    return 10 * np.log10(
        ((z - z_true).square().sum() / z_true.square().sum()).item()
    )


# %%
codes = {"ISTA": dict(enumerate(z_ista)), "FISTA": dict(enumerate(z_fista))}
codes |= {"LISTA, untrained": z_untrained, "LISTA, learned": z_learned}
rows = [
    (method, k, gap(z), error(z))
    for method, by_step in codes.items()
    for k, z in by_step.items()
]
progress = pd.DataFrame(rows, columns=["method", "K", "gap", "error"])
show(lista_figure(progress, error(z_min)), "fig-lista", **FIGURES["fig-lista"])

# %%
table(
    lista_table(progress),
    "Objective above its minimum after K steps, and how many steps LISTA saves",
)

# %%
display(Markdown(lista_text(progress, error(z_min), difference, training_steps)))

# %% [markdown]
# LISTA's lead is at few recursions.
# It has learned where *these* signals' codes lie; a solver knows nothing of them and is right for every signal in the end.
# RL-CSC's use of it is the first kind: a fixed, modest K.
# A deep LISTA also needs more training than it gets here by default; `train` gives it more.

# %% [markdown]
# ## Result: the paper's condition on L is the wrong way round
#
# Below Eq. 2 the paper asks for $L \le \mu_{max}$, the largest eigenvalue of $D^T D$.
# A step of length $1/L$ is sure to descend if $\tfrac L2 \|\cdot\|^2$ curves at least as much as the data term, which is
# $L \ge \mu_{max}$.
# The objective falls by at least $(L - \mu_{max}/2) \|z_{k+1} - z_k\|^2$ a step, so there is some slack: down to half of
# $\mu_{max}$ it still descends, and the longer steps are even faster. Below that nothing holds it back from diverging.

# %%
gaps = {
    ratio: [gap(z) for z in ista(y, D, lam, 60, L=ratio * L)]
    for ratio in (2.0, 1.0, 0.6, 0.4)
}
show(step_length_figure(gaps), "fig-ista-l", **FIGURES["fig-ista-l"])

# %%
display(Markdown(step_length_text(gaps, L)))

# %% [markdown]
# ## Result: the same with filters
#
# In convolutional sparse coding the atoms are small filters at every place of the image (Eqs. 5 and 6), so $D$ is a Toeplitz matrix
# and all of the above applies.
# We make an image from three filters at random places, add noise, and ask for the places back.

# %%
side, s, lam_maps = 40, 7, 0.1
v, u = torch.meshgrid(*[torch.arange(s) - s // 2] * 2, indexing="ij")
bar = torch.exp(-(u**2) / 0.8 - v**2 / 6)
diagonal = torch.exp(-((u - v) ** 2) / 1.6 - (u + v) ** 2 / 12)
ring = torch.exp(-(((u**2 + v**2).sqrt() - 2.2) ** 2) / 0.6)
filters = torch.stack(
    [kernel / kernel.norm() for kernel in (bar, diagonal, ring)]
)[:, None]  # (m, c, s, s)

# %%
maps_true = torch.zeros(1, 3, side - s + 1, side - s + 1)
places = torch.rand(maps_true.shape) < 0.008
maps_true[places] = 0.5 + 0.7 * torch.rand(int(places.sum()))
clean = synthesis(filters, maps_true)
image = clean + 0.05 * torch.randn(clean.shape)
maps_min = fista(image, filters, lam_maps, 1000, h=soft_threshold_plus)[-1]

# %%
figure = maps_figure(
    image, filters, maps_true, maps_min, ("bars", "diagonals", "rings")
)
show(figure, "fig-conv-codes", pd.DataFrame(), **FIGURES["fig-conv-codes"])

# %%
large = maps_min > 0.2
text = f"{int((large & places).sum())} of the {int(places.sum())} places are found with a coefficient above 0.2, "
text += f"and {int((large & ~places).sum())} elsewhere. "
text += f"But here $\\mu_{{max}}$ is {mu_max(filters):.0f} in place of {L:.1f}: neighbouring copies of a filter are nearly the same "
text += "atom, steps must be short, and a plain solver is slow."
display(Markdown(text))

# %% [markdown]
# ### The size of S
#
# Eq. 9 gives $S$ the size $s \times s$ of the filters.
# $S = I - \tfrac1L D^T D$ correlates filters with filters, and two of them overlap at $2s - 1$ offsets a side.
# The exact $S$ therefore has $(2s - 1)^2$ taps; with zero padding the recursion is then ISTA to the last pixel.
# A $3 \times 3$ $S$ as in RL-CSC is exact only for filters of $2 \times 2$, while $W_1$ has $3 \times 3$.

# %%
L_maps = mu_max(filters)
W_1, S = ista_weights(filters, L_maps)


def crop(kernels):
    """The middle s × s taps."""
    margin = (kernels.shape[-1] - s) // 2
    return kernels[..., margin : margin + s, margin : margin + s]


def recursion(S, steps=100):
    """Eq. 9 as a network runs it: two convolutions, the sum, ReLU with bias."""
    W_1_y = F.conv2d(image, W_1)
    z = [torch.zeros_like(W_1_y)]
    for _ in range(steps):
        z.append(
            soft_threshold_plus(
                W_1_y + F.conv2d(z[-1], S, padding="same"), lam_maps / L_maps
            )
        )
    return z


# %%
minimum_maps = objective(image, filters, maps_min, lam_maps)
solvers = {
    "FISTA": fista(image, filters, lam_maps, 100, h=soft_threshold_plus),
    "ISTA": ista(image, filters, lam_maps, 100, h=soft_threshold_plus),
    f"Eq. 9, S of {2 * s - 1} × {2 * s - 1} taps": recursion(S),
    f"Eq. 9, S of {s} × {s} taps": recursion(crop(S)),
}
gaps = {
    name: [
        (objective(image, filters, z, lam_maps) - minimum_maps).item()
        for z in maps
    ]
    for name, maps in solvers.items()
}
show(kernel_size_figure(gaps), "fig-s-size", **FIGURES["fig-s-size"])

# %%
difference = max(
    (a - b).abs().max().item()
    for a, b in zip(recursion(S), solvers["ISTA"], strict=True)
)
correlation = (
    torch.eye(3)[:, :, None, None] * F.pad(torch.ones(1, 1), [s - 1] * 4) - S
)  # D^T D / L
energy_lost = (
    1 - (crop(correlation).square().sum() / correlation.square().sum()).item()
)
text = f"The convolutional recursion and ISTA differ by at most **{difference:.0e}**. "
text += f"Cropping S loses {100 * energy_lost:.0f} % of the energy of $D^T D$, and with it the way to the minimum. "
text += "RL-CSC does not crop, it learns S, and apart from $W_1$: as in LISTA, nothing ties the two to one dictionary any more."
display(Markdown(text))

# %% [markdown]
# ## Result: what the network keeps
#
# ### No bias, hence no threshold
#
# In Eq. 10 θ is the bias of a ReLU. The paper's parameter count tells whether there is one.

# %%
table(
    bias_table(),
    "Parameters of RL-CSC: only without biases do they round to what Section 5.4 prints",
)

# %%
rows = []
for weight in (lam_maps, 0.0):
    for sign, h in {
        "z ≥ 0": soft_threshold_plus,
        "any sign": soft_threshold,
    }.items():
        z = fista(image, filters, weight, 600, h=h)[-1]
        nonzero = f"{100 * (z != 0).double().mean().item():.1f} %"
        rows.append(
            {
                "problem": f"λ = {weight:g}, {sign}",
                "coefficients that are not zero": nonzero,
            }
        )
table(pd.DataFrame(rows), "How sparse the maps of the image above are")

# %% [markdown]
# Both printed counts fit only without biases. (DRRN leaves its biases out of the count; but the equations of RL-CSC show none,
# and the public VDSR code whose recipe it shares has none.)
# So θ = λ = 0: what RL-CSC unrolls is non-negative least squares, and its maps are sparse only as far as $z \ge 0$ makes them so.
# The table shows how far that is: not as far as with the $\ell_1$-norm, but far.

# %%
network, picture = RLCSC(K=5, n=8, m=16), torch.rand(1, 1, 24, 24)
with torch.no_grad():
    difference = (
        (network(0.01 * picture) - 0.01 * network(picture)).abs().max().item()
    )
text = "A bias-free network also scales with its input, $f(aI) = a f(I)$ for $a > 0$ (here to "
text += f"{difference:.1g}), which no fixed threshold could do."
display(Markdown(text))

# %% [markdown]
# ### The multi-path structure comes by itself
#
# DRRN adds the same $H^0$ after every residual unit (its Eq. 4) and found that this helps.
# In LISTA nobody had to find it: $W_1 y$ is the data of the problem, and every step needs it.
# Written for the sum before its ReLU, $a_k = W_1 \otimes y + S \otimes z_{k-1}$, the two are one formula:
#
# | | DRRN, one recursive block | RL-CSC |
# |---|---|---|
# | enters every step | $H^0 = f(x)$ | $a_0 = W_1 \otimes y$ |
# | one step | $H^u = \mathcal F(H^{u-1}, W) + H^0$ | $a_k = S \otimes \mathrm{ReLU}(a_{k-1}) + a_0$ |
# | inside | two convolutions, each after BN and ReLU | one convolution after ReLU |
# | shared | weights of $\mathcal F$, not its BN | $S$ |
# | reason | identity paths ease training | a gradient step needs $D^T y$ |
#
# "Pre-activation" (ReLU before the convolution) is a matter of where the loop is cut: $z_k = \mathrm{ReLU}(a_k)$ follows Eq. 9,
# $a_k$ follows DRRN.

# %%
show(
    multipath_figure(),
    "fig-multipath",
    pd.DataFrame(),
    **FIGURES["fig-multipath"],
)

# %% [markdown]
# If this is right, DRRN's block *contains* RL-CSC's recursion: let batch normalisation and the first of its two convolutions do
# nothing, and put $W_1$ and $S$ in the other places.

# %%
network = RLCSC(K=25, n=8, m=16)
block = RecursiveBlock(
    8, U=network.K, width=16
).eval()  # BN as built divides by sqrt(1 + eps)
for norm in (block.norm, *block.norms_1, *block.norms_2):
    norm.eps = 0.0
torch.nn.init.dirac_(block.conv_1.weight)  # the identity
block.conv.weight.data, block.conv_2.weight.data = (
    network.W1.weight.data,
    network.S.weight.data,
)

# %%
features = torch.rand(1, 8, 20, 20)
with torch.no_grad():
    W_1_y = network.W1(features)
    z = W_1_y.relu()
    for _ in range(network.K):
        z = (W_1_y + network.S(z)).relu()
    difference = (block(features).relu() - z).abs().max() / z.abs().max()
display(
    Markdown(
        f"After K = {network.K} recursions the two differ by **{difference:.1g}** of the largest value."
    )
)

# %% [markdown]
# ## What we learned
#
# * The deduction holds: ISTA, untrained LISTA, and Eq. 9 with filters are one recursion, equal to rounding.
# * Learning it pays where recursions are few. With filters a plain solver crawls, as neighbouring atoms are nearly alike, so there
#   is more to gain; a convolutional LISTA by itself is not trained on this page.
# * Eq. 2 needs $L \ge \mu_{max}$ where the paper prints $\le$; below half of $\mu_{max}$ ISTA can diverge.
# * "Strictly following" Eq. 9 is looser than it sounds: $S$ has too few taps to be $I - D^T D / L$ for filters of $W_1$'s size, and
#   without biases there is no θ, hence no $\ell_1$-norm. What is kept is the wiring: $W_1 y$ into every recursion, one shared $S$.
# * That wiring is DRRN's multi-path structure with one convolution in place of two and no batch normalisation.
# * Whether this wiring is what makes RL-CSC good is a question for trained networks, not for this page.
#
# ```{admonition} Run this yourself
# :class: tip
# `papermill notebooks/rlcsc_sparse_coding.ipynb results/runs/rlcsc_sparse_coding.ipynb -p train True`
#
# Ten times the training steps for LISTA. Denser codes are harder: `-p used 8`.
# ```
