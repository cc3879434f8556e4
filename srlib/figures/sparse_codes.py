"""RL-CSC's figures and tables of sparse coding: codes and their solvers, LISTA, convolutional maps, and memory in training."""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from srlib.figures.style import COLOURS
from srlib.graphs.sparse_coding import soft_threshold, soft_threshold_plus, synthesis
from srlib.ledger.rows import Row
from srlib.models import CONVOLUTIONS, MODELS, params, params_total
from srlib.papers import claim, printed
from srlib.records.record import find_record

_ISTA, _FISTA, _LEARNED, _TRUE, _OTHER = "0.15", "0.55", COLOURS["rlcsc"], "0.35", "C9"
_METHODS = {
    "ISTA": {"color": _ISTA, "linewidth": 2},
    "FISTA": {"linestyle": "--", "color": _FISTA, "linewidth": 2},
    "LISTA, untrained": {"linestyle": "", "marker": "x", "color": "black", "markersize": 8},
    "LISTA, learned": {"marker": "o", "color": _LEARNED, "linewidth": 2},
}


def threshold_figure() -> Figure:
    """The soft threshold (Eq. 3), its non-negative form (Eq. 10) and RL-CSC's ReLU, over their input alpha."""
    alpha, theta = torch.linspace(-3, 3, 601), 1.0
    figure, axes = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
    axes.plot(alpha, alpha.relu(), ":", color=_LEARNED, linewidth=2.5, label="ReLU(α): RL-CSC, θ = 0")
    axes.plot(alpha, soft_threshold(alpha, theta), color=_ISTA, linewidth=2, label="$h_θ(α)$, Eq. 3")
    non_negative = soft_threshold_plus(alpha, theta)
    axes.plot(alpha, non_negative, "--", color=_OTHER, linewidth=3, label="$h_θ^+(α)$ = ReLU(α − θ), Eq. 10")
    axes.set_xticks([-2, -theta, 0, theta, 2], ["−2", "−θ", "0", "θ", "2"])
    axes.set(xlabel="α", ylabel="h(α)")
    axes.legend()
    return figure


def code_figure(z_true: Tensor, z_min: Tensor) -> Figure:
    """One signal's code `(m,)`, atom by atom: the coefficients that made the signal, and those at the minimum of Eq. 1."""
    figure, axes = plt.subplots(figsize=(7.5, 3.2), layout="constrained")
    atoms, true, minimum = np.arange(len(z_true)), z_true.numpy(), z_min.numpy()
    axes.vlines(atoms, 0, true, color=_TRUE, linewidth=1)
    look = {"markerfacecolor": "none", "color": _TRUE, "markersize": 11}
    axes.plot(atoms[true != 0], true[true != 0], "o", label="made with", **look)
    axes.plot(atoms[minimum != 0], minimum[minimum != 0], "o", color=_LEARNED, markersize=7, label="found, if not zero")
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set(xlabel="atom", ylabel="coefficient")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def lista_figure(progress: pd.DataFrame, error_min: float) -> Figure:
    """ISTA, FISTA and LISTA by steps or recursions: at the left the gap to the minimum, at the right the error of the code.

    Parameters
    ----------
    progress : pandas.DataFrame
        Columns `method` ('ISTA', 'FISTA', 'LISTA, untrained', 'LISTA, learned'), `K`, `gap` (objective above its minimum, mean
        over signals) and `error` (of the code against the true one, dB); K = 0 is not drawn.
    error_min : float
        Error of the minimum itself, dB.
    """
    figure, axes_of = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
    labels = {"gap": "objective above its minimum (mean)", "error": "error against the true code (dB)"}
    for axes, (quantity, label) in zip(axes_of, labels.items(), strict=True):
        for method, look in _METHODS.items():
            points = progress[(progress.method == method) & (progress.K > 0)]
            axes.plot(points.K.to_numpy(), points[quantity].to_numpy(), label=method, **look)
        axes.set(xscale="log", xlabel="steps or recursions K", ylabel=label)
        axes.set_xticks([1, 3, 10, 30, 100], [1, 3, 10, 30, 100])
        axes.minorticks_off()
    axes_of[0].set(yscale="log", ylim=(1e-6, None))
    axes_of[1].axhline(error_min, color=_TRUE, linestyle=(0, (5, 3)), linewidth=1, label="minimum of Eq. 1")
    look = {"loc": "outside lower center", "ncols": 5, "frameon": False, "columnspacing": 1.2}
    figure.legend(*axes_of[1].get_legend_handles_labels(), **look)
    return figure


def lista_table(progress: pd.DataFrame) -> pd.DataFrame:
    """The gaps of `lista_figure`, a row for each learned LISTA: after K steps, and the steps that solvers need for its gap."""
    gaps = progress.pivot(index="K", columns="method", values="gap")

    def steps_to(gap: float, solver: str) -> str:
        enough = gaps.index[gaps[solver] <= gap]
        return f"{enough[0]}" if len(enough) else f"> {gaps.index[-1]}"

    return pd.DataFrame(
        {
            "K": point.K,
            "ISTA": f"{gaps['ISTA'][point.K]:.3f}",
            "FISTA": f"{gaps['FISTA'][point.K]:.3f}",
            "LISTA": f"{point.gap:.3f}",
            "ISTA's steps to LISTA's": steps_to(point.gap, "ISTA"),
            "FISTA's": steps_to(point.gap, "FISTA"),
            "LISTA's code error (dB)": f"{point.error:.1f}",
        }
        for point in progress[progress.method == "LISTA, learned"].itertuples()
    )


def lista_text(progress: pd.DataFrame, error_min: float, difference: float, steps: int) -> str:
    """What `lista_figure` shows of LISTA; Markdown.

    `difference` is the largest between untrained LISTA and ISTA in any coefficient, `steps` the number of steps of training.
    """
    gaps = progress.pivot(index="K", columns="method", values="gap")
    behind = ", ".join(map(str, gaps.index[gaps["LISTA, learned"] >= gaps["FISTA"]]))
    fista = f"FISTA is level or ahead at K = {behind}." if behind else "It is ahead of FISTA at every K shown."
    return (
        f"Untrained LISTA and ISTA differ by at most **{difference:.1g}** in any coefficient. "
        f"LISTA was trained for {steps} steps for each K. {fista} "
        f"The true codes themselves are met to {error_min:.1f} dB by the minimum of Eq. 1."
    )


def step_length_figure(gaps: Mapping[float, Sequence[float]]) -> Figure:
    """ISTA's gap to the minimum (mean over signals) after 0, 1, 2, ... steps, for four L over mu_max, the largest first."""
    figure, axes = plt.subplots(figsize=(6.5, 4), layout="constrained")
    looks = (("-.", _FISTA), ("-", _ISTA), ("--", _OTHER), (":", _LEARNED))
    for (ratio, values), (line, colour) in zip(gaps.items(), looks, strict=True):
        axes.plot(values, line, color=colour, linewidth=2.5, label=f"L = {ratio:g} $μ_{{max}}$")
    steps = len(next(iter(gaps.values()))) - 1
    axes.set(yscale="log", ylim=(1e-5, 1e3), xlim=(0, steps), xlabel="step k", ylabel="objective above its minimum (mean)")
    axes.legend(loc="upper right")
    return figure


def step_length_text(gaps: Mapping[float, Sequence[float]], mu: float) -> str:
    """The last of the gaps of `step_length_figure` for L of 1.0, 0.6 and 0.4 times `mu`, which is mu_max; Markdown."""
    steps = len(gaps[1.0]) - 1
    return (
        f"Here $\\mu_{{max}}$ = {mu:.2f}. After {steps} steps the gap is {gaps[1.0][-1]:.0e} with $L = \\mu_{{max}}$, "
        f"{gaps[0.6][-1]:.0e} with $0.6\\,\\mu_{{max}}$, and {gaps[0.4][-1]:.0e} with $0.4\\,\\mu_{{max}}$, "
        f"which obeys the paper's condition and started, as all do, at {gaps[0.4][0]:.2f}."
    )


def maps_figure(image: Tensor, filters: Tensor, z_true: Tensor, z_min: Tensor, names: Sequence[str]) -> Figure:
    """Convolutional sparse coding: the image, its reconstruction and the residual; below them the map of each filter.

    The image is `(1, 1, H, W)`, the filters are `(3, 1, s, s)`, and `names` says what each shows. The maps, those that made the
    image and those at the minimum of Eq. 5, are `(1, 3, H - s + 1, W - s + 1)`.
    """
    figure, axes_of = plt.subplots(2, 3, figsize=(8, 5.8), layout="constrained")
    synthesised = synthesis(filters, z_min)
    pictures = {"image y": image, "D z, from the codes found": synthesised, "y − D z, ×3": 3 * (image - synthesised)}
    for axes, (title, picture), low in zip(axes_of[0], pictures.items(), (0, 0, 0.4), strict=True):
        axes.imshow(picture[0, 0], cmap="gray", vmin=-low, vmax=0.8 - low)  # zero is mid-grey where there are two signs
        axes.set(title=title, xticks=[], yticks=[])
    side = z_true.shape[-1]
    for axes, kernel, true, minimum, name in zip(axes_of[1], filters, z_true[0], z_min[0], names, strict=True):
        hollow = {"facecolors": "none", "edgecolors": _TRUE, "linewidths": 1.2}
        for codes, area, look in ((true, 140, hollow), (minimum, 45, {"color": _LEARNED})):
            row, column = np.nonzero(codes.numpy() > 0.02)
            axes.scatter(column, row, s=area * codes[row, column].numpy(), **look)
        axes.set(title=f"{name}: map z", xlim=(-1.5, side + 0.5), ylim=(side + 0.5, -1.5))
        axes.set(aspect="equal", xticks=[], yticks=[])
        corner = axes.inset_axes((0, 1.02, 0.17, 0.17))  # above the map
        corner.imshow(kernel[0], cmap="gray")
        corner.set(xticks=[], yticks=[])
    return figure


def kernel_size_figure(gaps: Mapping[str, Sequence[float]]) -> Figure:
    """The gap to the minimum after 0, 1, 2, ... steps, by the text of the legend.

    In this order: FISTA, ISTA, and the recursion of Eq. 9 with the exact and with a cropped S.
    """
    looks = (
        {"linestyle": "--", "color": _FISTA},
        {"color": _ISTA},
        {"linestyle": "", "marker": "x", "markevery": 6, "color": _ISTA, "markersize": 9},
        {"linestyle": ":", "color": _LEARNED},
    )
    figure, axes = plt.subplots(figsize=(6.5, 4.4), layout="constrained")
    for (label, values), look in zip(gaps.items(), looks, strict=True):
        axes.plot(values, linewidth=2.5, label=label, **look)
    axes.axvline(26, color="0.4", linewidth=1, linestyle="-.")  # RL-CSC's K = 25 recursions are K + 1 steps
    axes.set(yscale="log", xlim=(0, 100), xlabel="step k", ylabel="objective above its minimum")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def bias_table() -> pd.DataFrame:
    """Parameters of RL-CSC's two sizes, as printed and counted without and with biases."""
    rows = []
    for network in ("i", "ii"):
        published, n, m = (claim(f"rlcsc.f8.{network}.{name}") for name in ("params", "n", "m"))
        model = MODELS[published.experiment]()
        weights = params(model)
        both = weights + sum(layer.out_channels for layer in model.modules() if isinstance(layer, CONVOLUTIONS))
        counts = {"weights": weights, "weights and biases": both}
        texts = {name: f"{count:,} ({count / 1000:,.0f}k)" for name, count in counts.items()}
        rows.append({"n, m": f"{n.value}, {m.value}", "printed": published.value} | texts)
    return pd.DataFrame(rows)


def black_image_text() -> str:
    """The PSNR of a black image beside the one that Table 3 prints for the network without residual; Markdown."""
    record, published = find_record("black"), claim("rlcsc.t3.no_residual.epoch1")
    if record is None:
        return "There is no record of the black image."
    psnr = record.mean("Set5", 3, "psnr", "drrn")
    alike = published.printed_alike(psnr)
    comparison = "the printed number, digit for digit" if alike else f"not the printed {published.value}"
    return f"An all-black image scores **{psnr:.4f} dB** on Set5 ×3 under `drrn`: {comparison}."


def kept_bytes(name: str) -> tuple[float, int]:
    """Bytes a pixel that one patch makes the backward pass of a model of `MODELS` keep, and bytes of its weights."""
    model, side, kept = MODELS[name]().train(), 8, {}
    weights = {p.data_ptr() for p in model.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in weights and tensor.numel() > 4 * side:
            kept[tensor.untyped_storage().data_ptr()] = tensor  # held, so that no other takes its address
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(torch.rand(2, 1, side, side)).sum()
        size = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    return size / (2 * side * side), 4 * params_total(model)


def memory_table(rows: Iterable[Row], memory: Mapping[str, tuple[float, int]]) -> pd.DataFrame:
    """RL-CSC's Table 4: printed memory beside the bytes that one framework keeps for the backward pass, and both by ratio.

    Of the ledger's rows those of Table 4 that name batch and patch are taken; `memory` is `kept_bytes` by experiment.
    """
    lines = []
    for row in rows:
        if row.where == "Table 4" and row.kind == "hardware" and row.note.startswith("batch"):
            batch, patch = (int(part.split()[1]) for part in row.note.split(", "))
            activations, weights = memory[row.experiment]
            kept = activations * batch * patch**2 + 3 * weights  # with gradients and momentum
            number = row.published.replace(",", "")
            is_size = number.isdigit() and "MB" in row.metric
            ratio = f"{float(number) / printed('rlcsc.t4.drrn20'):.2f}" if is_size else "–"
            line = {"model": row.experiment, "batch": batch, "patch": patch, "printed": f"{row.published} {row.metric}"}
            lines.append(line | {"kept for the backward pass": kept, "printed / DRRN (20)": ratio})
    frame = pd.DataFrame(lines)
    kept = frame["kept for the backward pass"]
    frame["kept for the backward pass"] = (kept / 2**20).map("{:,.0f} MiB".format)
    frame["ours / DRRN (20)"] = (kept / kept[frame.model == "drrn_b1u9"].iloc[0]).map("{:.2f}".format)
    return frame
