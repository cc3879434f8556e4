"""States of recurrent networks: energy maps, what each step predicts, and how well (DSRN, Figure 5).

The states come from `srlib.widgets.states`: `show_states` reads them inside a patch, `unrolled` for a whole image.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from itertools import product
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

from srlib.figures.style import COLOURS
from srlib.models import macs_per_pixel
from srlib.records.methods import training
from srlib.records.record import Record, find_records

if TYPE_CHECKING:
    from srlib.widgets.states import States

NETWORKS = {"dsrn": "DSRN", "drrn": "DRRN", "rlcsc": "RL-CSC"}
_ORDINARY = {"scale", "T", "B", "U", "K", "n", "m", "width"}  # arguments of a network as it is in its paper
_ENERGY_TOP, _RESIDUAL_TOP = 0.995, 0.98  # quantiles at the ends of the colours
_COLUMN = 1.55  # width of a small map in inches


def _size(record: Record) -> tuple[int, int]:
    """Filters and steps of a trained network; where the record does not name them, they are the paper's."""
    arguments = {"width": 128, "T": 7, "K": 25} | record.info["arguments"]
    steps = {"drrn": "U", "rlcsc": "K"}.get(record.info["model"], "T")
    return arguments.get("n", arguments["width"]), arguments[steps]


def widest_record(model: str) -> Record | None:
    """Of the trained networks of one kind the widest, of these the one with most steps, of these one that knows ×3.

    `model` is an architecture of `NETWORKS`. Variants, networks of several blocks and those trained on DIV2K are left out.
    """

    def rank(record: Record) -> tuple[int, int, bool, int]:
        return *_size(record), 3 in record.info["recipe"]["scales"], record.info["iterations_done"]

    eligible = [
        record
        for record in find_records()
        if record.info.get("model") == model
        and record.info["arguments"].keys() <= _ORDINARY
        and record.info["arguments"].get("B", 1) == 1
        and "div2k" not in record.info["experiment"]
        and (record.folder / "weights.safetensors").exists()
    ]
    return max(eligible, key=rank, default=None)


def networks_table(records: Mapping[str, Record]) -> pd.DataFrame:
    """The recurrent networks of a page, by name: record, filters, steps, and how far each is the paper's."""
    columns = ["network", "record", "filters", "steps", "how far it is the paper's"]
    rows = [
        (name, record.folder.parts[-2], *_size(record), training(record) or "as published") for name, record in records.items()
    ]
    return pd.DataFrame(rows, columns=columns)


def _picture(axes: Axes, image: np.ndarray, title: str, **options: Any) -> None:
    """One picture without frame."""
    axes.imshow(image, interpolation="nearest", **options)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def _energy_map(axes: Axes, energy: np.ndarray, symbol: str) -> None:
    """An energy map on a scale of its own, titled with its mean."""
    top = np.quantile(energy, _ENERGY_TOP)
    _picture(axes, energy, f"${symbol}$: {energy.mean():.2g}", cmap="viridis", vmin=0, vmax=top)


def _residuals(states: "States") -> np.ndarray:
    """What each step adds to bicubic: `(T, height, width)` in grey levels."""
    return 255 * (np.array(states.predictions) - states.bicubic)


def energy_figure(states: "States", hr: np.ndarray, luma: np.ndarray) -> Figure:
    """DSRN's Figure 5: above the energy of the HR state at each step, below the residual that each step predicts.

    The states are those inside the patch; `hr` is the original patch, `(height, width, 3)` `uint8`, `luma` its luma in grey
    levels, `(height, width)`.
    """
    T, residuals, truth = len(states.energies), _residuals(states), luma - 255 * states.bicubic
    top = np.quantile(np.abs(truth), _RESIDUAL_TOP)
    scale = {"cmap": "RdBu_r", "vmin": -top, "vmax": top}
    figure, axes = plt.subplots(2, T + 2, figsize=(_COLUMN * (T + 2), 3.6), layout="constrained", squeeze=False)
    _picture(axes[0, 0], states.bicubic, "input (bicubic)", cmap="gray", vmin=16 / 255, vmax=235 / 255)
    _picture(axes[0, -1], hr, "HR")
    _picture(axes[1, 0], truth, "HR − bicubic", **scale)
    for t, (energy, residual) in enumerate(zip(states.energies, residuals, strict=True), 1):
        _energy_map(axes[0, t], energy, f"E^{t}")
        _picture(axes[1, t], residual, f"$r^{t}$", **scale)
    _picture(axes[1, -1], residuals.mean(0), "mean (Eq. 5)", **scale)
    figure.colorbar(axes[1, 0].images[0], ax=axes[1], label="grey levels", extend="both", fraction=0.02)
    return figure


def energy_table(states: "States", luma: np.ndarray) -> pd.DataFrame:
    """The steps in numbers: mean energy, size of the residual, its error and its correlation with the truth; and their mean.

    States and luma are those of `energy_figure`.
    """
    residuals, truth = _residuals(states), luma - 255 * states.bicubic
    names = [*(f"t = {t + 1}" for t in range(len(residuals))), "mean of all"]
    energies = [*(f"{energy.mean():.3g}" for energy in states.energies), ""]
    return pd.DataFrame(
        {
            "step": name,
            "mean energy": energy,
            "residual, RMS": f"{np.sqrt((residual**2).mean()):.1f}",
            "error of this step, RMS": f"{np.sqrt(((residual - truth) ** 2).mean()):.1f}",
            "correlation with the truth": f"{np.corrcoef(residual.ravel(), truth.ravel())[0, 1]:.2f}",
        }
        for name, energy, residual in zip(names, energies, [*residuals, residuals.mean(0)], strict=True)
    )


def energy_maps_figure(energies: Mapping[str, Sequence[np.ndarray]], hr: np.ndarray) -> Figure:
    """Energy maps of the steps of 'drrn' and 'rlcsc' on one patch, no more than seven of each, evenly spread.

    Each network has a row, with the original patch in front.
    """
    columns, rows = min(7, max(map(len, energies.values()))), len(energies)
    size = (_COLUMN * (columns + 1), 2.0 * rows)
    figure, axes = plt.subplots(rows, columns + 1, figsize=size, layout="constrained", squeeze=False)
    for row, (name, maps) in zip(axes, energies.items(), strict=True):
        steps = np.unique(np.linspace(0, len(maps) - 1, min(columns, len(maps))).round().astype(int))
        _picture(row[0], hr, "HR")
        for ax, t in zip(row[1:], steps, strict=False):
            _energy_map(ax, maps[t], f"H^{{{t + 1}}}" if name == "drrn" else f"z_{{{t + 1}}}")
        for ax in row[1 + len(steps) :]:
            ax.set_axis_off()
    return figure


def smallest_images(
    images: Iterable[tuple[str, np.ndarray]], model: nn.Module, scale: int, most_work: float
) -> list[tuple[str, np.ndarray]]:
    """Images from the smallest on, at least one, until a network has done `most_work` multiplications."""
    by_size = sorted(images, key=lambda named: named[1].size)
    pixels = np.cumsum([image.shape[0] * image.shape[1] for _, image in by_size])
    work = macs_per_pixel(lambda: deepcopy(model), scale) * pixels
    return by_size[: max(1, int((work <= most_work).sum()))]


def step_psnr_figure(psnr: Mapping[str, pd.DataFrame], scale: int) -> Figure:
    """PSNR of each step's prediction, mean over images, a line for each network; dashed the average that DSRN gives.

    Each network has a frame of PSNR (dB): a column for each image, and the rows '0' (bicubic), '1' to 'T', and 'average'.
    """
    figure, ax = plt.subplots(layout="constrained")
    for name, frame in psnr.items():
        mean = frame.drop("average").mean(axis=1)
        ax.plot(range(len(mean)), mean, "o-", color=COLOURS[name], markersize=5, label=NETWORKS[name])
        if name == "dsrn":
            average = frame.loc["average"].mean()
            ax.axhline(average, color=COLOURS[name], linestyle="--", label="DSRN, average of all steps")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="step t, u or k (0: bicubic)", ylabel=f"PSNR at ×{scale} (dB)")
    ax.legend()
    return figure


def step_psnr_table(psnr: pd.DataFrame) -> pd.DataFrame:
    """One network's PSNR of `step_psnr_figure`: a row for each step and the average, a column for each image and the mean."""
    last = psnr.index[-2]
    labels = {"0": "bicubic", last: f"step {last}, the last", "average": "average of all (Eq. 5)"}
    texts = psnr.assign(mean=psnr.mean(axis=1)).map("{:.2f}".format)
    texts.insert(0, "prediction", [labels.get(step, f"step {step}") for step in psnr.index])
    return texts


def average_text(psnr: pd.DataFrame, recorded: float | None) -> str:
    """The average of all steps of DSRN, as for `step_psnr_figure`, against the last and the best single step; Markdown.

    `recorded` is the PSNR (dB) on the same images in the network's record, to compare with, or `None`.
    """
    average, gaps = psnr.loc["average"], psnr.loc["average"] - psnr.iloc[-2]
    single_steps = psnr.drop(["0", "average"]).mean(axis=1)
    text = (
        f"In this network the average is **{gaps.mean():+.2f} dB** against the last step, and better on {(gaps > 0).sum()} of "
        f"{len(gaps)} images; against the best single step (step {single_steps.idxmax()}) it is "
        f"**{average.mean() - single_steps.max():+.2f} dB**. It is one network, trained for the average, read out in two ways."
    )
    if recorded is None:
        return text
    return f"{text} (The average is the network's output: {average.mean():.4f} dB here, {recorded:.4f} dB in its record.)"


def readout_pairs() -> pd.DataFrame:
    """Pairs of trained DSRNs that differ in the readout alone, the average of all predictions or the last: two rows a pair.

    Both are trained with one recipe, seed and data for as many iterations. PSNR is that of the `drrn` protocol.
    """
    same = ("recipe", "iterations_done", "seed", "data_sha256")
    records = [record for record in find_records() if record.info.get("model") == "dsrn"]
    rows = []
    for last_state, average in product(records, repeat=2):
        arguments = average.info["arguments"]
        if "average" in arguments or last_state.info["arguments"] != arguments | {"average": False}:
            continue
        if all(average.info[key] == last_state.info[key] for key in same):
            for name, record in {"the average": average, "the last state": last_state}.items():
                row = {"trained for": name, "record": record.folder.parts[-2], "scale": f"×{arguments['scale']}"}
                row |= {"seed": record.info["seed"]}
                for dataset in ("Set5", "Set14"):
                    row[f"{dataset}, PSNR"] = record.mean(dataset, arguments["scale"], "psnr", "drrn")
                rows.append(row)
    return pd.DataFrame(rows)
