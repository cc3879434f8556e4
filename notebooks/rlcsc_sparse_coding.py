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

# %% tags=["parameters"]
train: bool = False  # True: ten times the training steps; False: a short training
budget: float = 1.0  # fraction of LISTA's training steps
seed: int = 0  # of dictionary, signals and training batches
device: str = "cpu"  # unused here: on networks this small a GPU gains nothing
n: int = 32  # numbers in a signal y
m: int = 64  # atoms of the dictionary, numbers in a code z
used: int = 4  # atoms in each signal
lam: float = 0.1  # weight of the l1-norm
K: list[int] = [1, 2, 4, 8, 16]  # recursions; one LISTA is trained for each
runs: str = ""  # unused here: nothing is recorded

# %%
from srlib.figures.parameters import check_parameters

check_parameters(globals())

# %% tags=["hide-input"]
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown, display
from torch.nn import functional as F

from srlib.figures.style import COLOURS, show, table, use_style
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
from srlib.models import params
from srlib.models.drrn import RecursiveBlock
from srlib.models.rlcsc import RLCSC

use_style()
torch.manual_seed(seed)
torch.set_default_dtype(torch.float64)  # what is equal shall be equal to rounding
ISTA, FISTA, LEARNED, TRUE, OTHER = "0.15", "0.55", COLOURS["rlcsc"], "0.35", "C9"

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

# %% tags=["hide-input"]
alpha, theta = torch.linspace(-3, 3, 601), 1.0
figure, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
ax.plot(alpha, alpha.relu(), ":", color=LEARNED, linewidth=2.5, label="ReLU(α): RL-CSC, θ = 0")
ax.plot(alpha, soft_threshold(alpha, theta), color=ISTA, linewidth=2, label="$h_θ(α)$, Eq. 3")
ax.plot(
    alpha,
    soft_threshold_plus(alpha, theta),
    "--",
    color=OTHER,
    linewidth=3,
    label="$h_θ^+(α)$ = ReLU(α − θ), Eq. 10",
)
ax.set_xticks([-2, -theta, 0, theta, 2], ["−2", "−θ", "0", "θ", "2"])
ax.set(xlabel="α", ylabel="h(α)")
ax.legend()
show(figure, "fig-soft-threshold", **FIGURES["fig-soft-threshold"])

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


true = draw_codes(100)  # for testing
y = synthesis(D, true)
best = fista(y, D, lam, 2000)[-1]  # the minimum of Eq. 1, to rounding

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
atoms = np.arange(m)
made, found = (code[0].numpy() for code in (true, best))
ax.vlines(atoms, 0, made, color=TRUE, linewidth=1)
ax.plot(atoms[made != 0], made[made != 0], "o", markerfacecolor="none", color=TRUE, markersize=11, label="made with")
ax.plot(atoms[found != 0], found[found != 0], "o", color=LEARNED, markersize=7, label="found, if not zero")
ax.axhline(0, color="0.6", linewidth=0.8)
ax.set(xlabel="atom", ylabel="coefficient")
ax.legend(loc="upper left", bbox_to_anchor=(1, 1))
show(figure, "fig-known-code", **FIGURES["fig-known-code"])

# %% [markdown]
# LISTA starts at ISTA's weights. Untrained it must therefore be ISTA, which is checked before it is trained.
# As Gregor and LeCun did, we train a network for each number of recursions, on the distance to the minimum of Eq. 1.

# %%
steps = max(1, round(budget * (4000 if train else 400)))


def learn(k):
    """A LISTA of k recursions, trained on signals drawn from the same dictionary."""
    net = LISTA(D.float(), lam, k)
    optimiser = torch.optim.Adam(net.parameters(), 0.004)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for step in range(steps):
        batch = torch.arange(step * 128, (step + 1) * 128) % len(train_y)
        loss = (net(train_y[batch]) - train_z[batch]).square().sum(1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net


far = max(200, *K)  # steps of the solvers
slow, fast = ista(y, D, lam, far), fista(y, D, lam, far)
with torch.no_grad():
    untrained = {k: LISTA(D, lam, k)(y) for k in K}
difference = max((untrained[k] - slow[k]).abs().max().item() for k in K)
train_y = synthesis(D, draw_codes(12_800)).float()
parts = train_y.split(1280)
train_z = torch.cat([fista(part, D.float(), lam, 100)[-1] for part in parts])
learned = {}
for k in K:
    net = learn(k)
    with torch.no_grad():
        learned[k] = net(y.float()).double()

# %% [markdown]
# ## Result: few learned steps do the work of many

# %% tags=["hide-input"]
minimum = objective(y, D, best, lam).mean()


def gap(z):
    return (objective(y, D, z, lam).mean() - minimum).item()


def error(z):
    """Energy of the error of the code over the energy of the true one, in dB."""
    return 10 * np.log10(((z - true).square().sum() / true.square().sum()).item())


figure, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
for ax, measure, label in zip(
    axes, (gap, error), ("objective above its minimum (mean)", "error against the true code (dB)"), strict=True
):
    ax.plot(range(1, far + 1), [measure(z) for z in slow[1:]], color=ISTA, linewidth=2, label="ISTA")
    ax.plot(range(1, far + 1), [measure(z) for z in fast[1:]], "--", color=FISTA, linewidth=2, label="FISTA")
    ax.plot(K, [measure(z) for z in untrained.values()], "x", color="black", markersize=8, label="LISTA, untrained")
    ax.plot(K, [measure(z) for z in learned.values()], "o-", color=LEARNED, linewidth=2, label="LISTA, learned")
    ax.set(xscale="log", xlabel="steps or recursions K", ylabel=label)
    ax.set_xticks([1, 3, 10, 30, 100], [1, 3, 10, 30, 100])
    ax.minorticks_off()
axes[0].set(yscale="log", ylim=(1e-6, None))
axes[1].axhline(error(best), color=TRUE, linestyle=(0, (5, 3)), linewidth=1, label="minimum of Eq. 1")
figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=5, frameon=False, columnspacing=1.2)
show(figure, "fig-lista", **FIGURES["fig-lista"])

# %% tags=["hide-input"]


def steps_to(z, iterates):
    """How many steps a solver needs to come as near to the minimum as z is."""
    return next((str(k) for k, other in enumerate(iterates) if gap(other) <= gap(z)), f"> {len(iterates) - 1}")


rows = []
for k in K:
    rows.append({"K": k, "ISTA": f"{gap(slow[k]):.3f}", "FISTA": f"{gap(fast[k]):.3f}", "LISTA": f"{gap(learned[k]):.3f}",
                 "ISTA's steps to LISTA's": steps_to(learned[k], slow), "FISTA's": steps_to(learned[k], fast),
                 "LISTA's code error (dB)": f"{error(learned[k]):.1f}"})  # fmt: skip
display(table(pd.DataFrame(rows), "Objective above its minimum after K steps, and how many steps LISTA saves"))
text = f"Untrained LISTA and ISTA differ by at most **{difference:.1g}** in any coefficient. "
text += f"LISTA was trained for {steps} steps for each K. "
behind = [str(k) for k in K if gap(learned[k]) >= gap(fast[k])]
text += f"FISTA is level or ahead at K = {', '.join(behind)}. " if behind else "It is ahead of FISTA at every K shown. "
text += f"The true codes themselves are met to {error(best):.1f} dB by the minimum of Eq. 1."
display(Markdown(text))

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

# %% tags=["hide-input"]
figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
looks = {2.0: ("-.", FISTA), 1.0: ("-", ISTA), 0.6: ("--", OTHER), 0.4: (":", LEARNED)}
by_part = {part: [gap(z) for z in ista(y, D, lam, 60, L=part * L)] for part in looks}
for part, (style, colour) in looks.items():
    ax.plot(by_part[part], style, color=colour, linewidth=2.5, label=f"L = {part:g} $μ_{{max}}$")
ax.set(yscale="log", ylim=(1e-5, 1e3), xlim=(0, 60), xlabel="step k", ylabel="objective above its minimum (mean)")
ax.legend(loc="upper right")
show(figure, "fig-ista-l", **FIGURES["fig-ista-l"])

# %% tags=["hide-input"]
start, end = objective(y, D, torch.zeros_like(best), lam).mean().item(), by_part[0.4][-1]
text = f"Here $\\mu_{{max}}$ = {L:.2f}. After 60 steps the gap is {by_part[1.0][-1]:.0e} with $L = \\mu_{{max}}$, "
text += f"{by_part[0.6][-1]:.0e} with $0.6\\,\\mu_{{max}}$, and {end:.0e} with $0.4\\,\\mu_{{max}}$, "
text += f"which obeys the paper's condition and started, as all do, at {start - minimum.item():.2f}."
display(Markdown(text))

# %% [markdown]
# ## Result: the same with filters
#
# In convolutional sparse coding the atoms are small filters at every place of the image (Eqs. 5 and 6), so $D$ is a Toeplitz matrix
# and all of the above applies.
# We make an image from three filters at random places, add noise, and ask for the places back.

# %%
side, s, lam_c = 40, 7, 0.1
v, u = torch.meshgrid(*[torch.arange(s) - s // 2] * 2, indexing="ij")
bar = torch.exp(-(u**2) / 0.8 - v**2 / 6)
diagonal = torch.exp(-((u - v) ** 2) / 1.6 - (u + v) ** 2 / 12)
ring = torch.exp(-(((u**2 + v**2).sqrt() - 2.2) ** 2) / 0.6)
filters = [f / f.norm() for f in (bar, diagonal, ring)]
filters = torch.stack(filters)[:, None]  # (m, c, s, s)

Z = torch.zeros(1, 3, side - s + 1, side - s + 1)
places = torch.rand(Z.shape) < 0.008
Z[places] = 0.5 + 0.7 * torch.rand(int(places.sum()))
clean = synthesis(filters, Z)
image = clean + 0.05 * torch.randn(clean.shape)
Z_found = fista(image, filters, lam_c, 1000, h=soft_threshold_plus)[-1]

# %% tags=["hide-input"]
figure, axes = plt.subplots(2, 3, figsize=(8, 5.8), layout="constrained")
remade = synthesis(filters, Z_found)
pictures = {"image y": image, "D z, from the codes found": remade, "y − D z, ×3": 3 * (image - remade)}
for ax, (title, picture) in zip(axes[0], pictures.items(), strict=True):
    low = 0.4 if title.startswith("y −") else 0  # zero is mid-grey where there are two signs
    ax.imshow(picture[0, 0], cmap="gray", vmin=-low, vmax=0.8 - low)
    ax.set(title=title, xticks=[], yticks=[])
for ax, f, made, found, name in zip(axes[1], filters, Z[0], Z_found[0], ("bars", "diagonals", "rings"), strict=True):
    for codes, style in ((made, {"facecolors": "none", "edgecolors": TRUE, "linewidths": 1.2}), (found, {"color": LEARNED})):
        row, column = np.nonzero(codes.numpy() > 0.02)
        size = codes[row, column].numpy()
        ax.scatter(column, row, s=(140 if codes is made else 45) * size, **style)
    ax.set(
        title=f"{name}: map z",
        xlim=(-1.5, side - s + 1.5),
        ylim=(side - s + 1.5, -1.5),
        aspect="equal",
        xticks=[],
        yticks=[],
    )
    corner = ax.inset_axes((0, 1.02, 0.17, 0.17))  # above the map
    corner.imshow(f[0], cmap="gray")
    corner.set(xticks=[], yticks=[])
plt.show()

# %% tags=["hide-input"]
large = Z_found > 0.2
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

# %% tags=["hide-input"]
L_c = mu_max(filters)
W_1, S = ista_weights(filters, L_c)
cut = S.shape[-1] // 2 - s // 2
S_cropped = S[:, :, cut : cut + s, cut : cut + s]


def recursion(S, steps):
    """Eq. 9 as a network runs it: two convolutions, the sum, ReLU with bias."""
    W_1_y = F.conv2d(image, W_1)
    z = [torch.zeros_like(W_1_y)]
    for _ in range(steps):
        z.append(soft_threshold_plus(W_1_y + F.conv2d(z[-1], S, padding="same"), lam_c / L_c))
    return z


minimum_c = objective(image, filters, Z_found, lam_c)
curves = {
    "FISTA": (fista(image, filters, lam_c, 100, h=soft_threshold_plus), {"linestyle": "--", "color": FISTA}),
    "ISTA": (ista(image, filters, lam_c, 100, h=soft_threshold_plus), {"color": ISTA}),
    f"Eq. 9, S of {2 * s - 1} × {2 * s - 1} taps": (
        recursion(S, 100),
        {"linestyle": "", "marker": "x", "markevery": 6, "color": ISTA, "markersize": 9},
    ),
    f"Eq. 9, S of {s} × {s} taps": (recursion(S_cropped, 100), {"linestyle": ":", "color": LEARNED}),
}
figure, ax = plt.subplots(figsize=(6.5, 4.4), layout="constrained")
for label, (z, look) in curves.items():
    above = [(objective(image, filters, codes, lam_c) - minimum_c).item() for codes in z]
    ax.plot(above, **{"linewidth": 2.5, "label": label} | look)
ax.axvline(26, color="0.4", linewidth=1, linestyle="-.")
ax.set(yscale="log", xlim=(0, 100), xlabel="step k", ylabel="objective above its minimum")
figure.legend(loc="outside lower center", ncols=2, frameon=False)
show(figure, "fig-s-size", **FIGURES["fig-s-size"])

# %% tags=["hide-input"]
exact = max((a - b).abs().max().item() for a, b in zip(recursion(S, 100), curves["ISTA"][0], strict=True))
correlation = torch.eye(3)[:, :, None, None] * F.pad(torch.ones(1, 1), [s - 1] * 4) - S  # D^T D / L
share = 1 - (correlation[:, :, cut : cut + s, cut : cut + s].square().sum() / correlation.square().sum()).item()
text = f"The convolutional recursion and ISTA differ by at most **{exact:.0e}**. "
text += f"Cropping S loses {100 * share:.0f} % of the energy of $D^T D$, and with it the way to the minimum. "
text += "RL-CSC does not crop, it learns S, and apart from $W_1$: as in LISTA, nothing ties the two to one dictionary any more."
display(Markdown(text))

# %% [markdown]
# ## Result: what the network keeps
#
# ### No bias, hence no threshold
#
# In Eq. 10 θ is the bias of a ReLU. The paper's parameter count tells whether there is one.

# %% tags=["hide-input"]
rows = []
for count_m in (256, 128):
    network = RLCSC(K=15, n=128, m=count_m)
    biases = sum(layer.out_channels for layer in network.modules() if isinstance(layer, torch.nn.Conv2d))
    printed = {256: "1,329k", 128: "592k"}[count_m]
    weights = params(network)
    rows.append({"n, m": f"128, {count_m}", "printed": printed, "weights": f"{weights:,} ({weights / 1000:,.0f}k)",
                 "weights and biases": f"{weights + biases:,} ({(weights + biases) / 1000:,.0f}k)"})  # fmt: skip
display(table(pd.DataFrame(rows), "Parameters of RL-CSC: only without biases do they round to what Section 5.4 prints"))

features = {f"λ = {weight:g}, {name}": fista(image, filters, weight, 600, h=h)[-1]
            for weight in (lam_c, 0.0) for name, h in (("z ≥ 0", soft_threshold_plus), ("any sign", soft_threshold))}  # fmt: skip
rows = [
    {"problem": name, "coefficients that are not zero": f"{100 * (z != 0).double().mean().item():.1f} %"}
    for name, z in features.items()
]
display(table(pd.DataFrame(rows), "How sparse the maps of the image above are"))

network, picture = RLCSC(K=5, n=8, m=16), torch.rand(1, 1, 24, 24)
with torch.no_grad():
    homogeneous = (network(0.01 * picture) - 0.01 * network(picture)).abs().max().item()
text = "Both printed counts fit only without biases. (DRRN leaves its biases out of the count; but the equations of RL-CSC show none, "
text += "and the public VDSR code whose recipe it shares has none.) "
text += "So θ = λ = 0: what RL-CSC unrolls is non-negative least squares, and its maps are sparse "
text += (
    "only as far as $z \\ge 0$ makes them so. The table shows how far that is: not as far as with the $\\ell_1$-norm, but far. "
)
text += "A bias-free network also scales with its input, $f(aI) = a f(I)$ for $a > 0$ (here to "
text += f"{homogeneous:.1g}), which no fixed threshold could do."
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

# %% tags=["hide-input"]


def draw_recursion(ax, title, first, inner, after, colour):
    """A chain of three steps, and the line that feeds the first features to each sum."""
    box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": colour, "linewidth": 1.8}
    arrow = {"arrowstyle": "-|>", "color": "0.3", "linewidth": 1.2, "shrinkA": 0, "shrinkB": 0}
    ax.plot([1.35, 9.0], [1.0, 1.0], color=colour, linewidth=2.2)
    ax.plot([1.35, 1.35], [0, 1.0], color=colour, linewidth=2.2)
    ax.plot([0.75, 10.0], [0, 0], color="0.3", linewidth=1.2, zorder=0)
    ax.annotate("", (10.5, 0), (9.9, 0), arrowprops=arrow)
    for x in (2.4, 5.1, 7.8):
        ax.text(x, 0, inner, ha="center", va="center", bbox=box)
        ax.annotate("", (x + 1.2, 0.2), (x + 1.2, 1.0), arrowprops=arrow | {"color": colour, "linewidth": 2})
        ax.text(
            x + 1.2,
            0,
            "+",
            ha="center",
            va="center",
            bbox={"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": "0.3"},
        )
    ax.text(0.5, 0, first, ha="center", va="center", bbox=box)
    ax.text(10.6, 0, after, ha="left", va="center")
    ax.set(xlim=(-0.4, 11.9), ylim=(-0.4, 1.1))
    ax.set_title(title, loc="left")
    ax.axis("off")


figure, axes = plt.subplots(2, 1, figsize=(8, 3.4), layout="constrained")
draw_recursion(axes[0], "DRRN (Eq. 4)", "$H^0$", "$\\mathcal{F}$", "$H^3$", COLOURS["drrn"])
draw_recursion(axes[1], "RL-CSC (Eq. 9)", "$W_1 y$", "ReLU, $S$", "$a_3$, $z_3$ = ReLU($a_3$)", COLOURS["rlcsc"])
plt.show()

# %% [markdown]
# If this is right, DRRN's block *contains* RL-CSC's recursion: let batch normalisation and the first of its two convolutions do
# nothing, and put $W_1$ and $S$ in the other places.

# %%
network = RLCSC(K=25, n=8, m=16)
block = RecursiveBlock(8, U=network.K, width=16).eval()  # BN as built divides by sqrt(1 + eps)
for norm in (block.norm, *block.norms_1, *block.norms_2):
    norm.eps = 0.0
block.conv.weight.data, block.conv_2.weight.data = network.W1.weight.data, network.S.weight.data
torch.nn.init.dirac_(block.conv_1.weight)  # the identity
features = torch.rand(1, 8, 20, 20)
with torch.no_grad():
    z = W_1_y = network.W1(features)
    z = z.relu()
    for _ in range(network.K):
        z = (W_1_y + network.S(z)).relu()
    difference = (block(features).relu() - z).abs().max() / z.abs().max()
text = f"After K = {network.K} recursions the two differ by **{difference:.1g}** "
text += "of the largest value."
display(Markdown(text))

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
