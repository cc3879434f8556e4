"""States of recurrent networks: energy maps, what each step predicts, and how well (DSRN, Figure 5).

The states come from `srlib.widgets.states`: `show_states` reads them inside a patch, `unrolled` for a whole image.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
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
PUBLISHED_WIDTH = 128  # filters of all three networks, where a record does not name another number
_ORDINARY = {"scale", "T", "B", "U", "K", "n", "m", "width"}  # arguments of a network as it is in its paper
_ENERGY_TOP, _RESIDUAL_TOP = 0.995, 0.98  # quantiles at the ends of the colours
_COLUMN = 1.55  # width of a small map in inches


def width_of_record(record: Record) -> int:
    """Filters of a trained network."""
    arguments = record.info["arguments"]
    return next((arguments[name] for name in ("width", "n") if name in arguments), PUBLISHED_WIDTH)


def widest_record(model: str, steps: str, default_steps: int) -> Record | None:
    """Of the trained networks of one kind the widest, of these the one with most steps, of these one that knows ×3.

    Parameters
    ----------
    model : str
        Architecture, as in `srlib.models.ARCHITECTURES`. Variants, networks of several blocks and those trained on DIV2K are
        left out.
    steps : str
        The argument that holds the number of steps.
    default_steps : int
        Steps of a network whose record does not name them.
    """

    def eligible(record: Record) -> bool:
        arguments = record.info["arguments"] if record.info.get("model") == model else None
        ordinary = arguments is not None and arguments.keys() <= _ORDINARY and arguments.get("B", 1) == 1
        return ordinary and "div2k" not in record.info["experiment"] and (record.folder / "weights.safetensors").exists()

    def rank(record: Record) -> tuple[int, int, bool, int]:
        info = record.info
        steps_of = info["arguments"].get(steps, default_steps)
        return width_of_record(record), steps_of, 3 in info["recipe"]["scales"], info["iterations_done"]

    return max(filter(eligible, find_records()), key=rank, default=None)


def networks_table(records: Mapping[str, Record], models: Mapping[str, nn.Module]) -> pd.DataFrame:
    """The recurrent networks of a page: record, filters, steps, and how far each is the paper's.

    Parameters
    ----------
    records, models : mapping
        The same names to records and to their networks.
    """
    rows = []
    for name, record in records.items():
        steps = getattr(models[name], "T", 0) or getattr(models[name], "K", 0) or record.info["arguments"]["U"]
        row = {"network": name, "record": record.folder.parts[-2], "filters": width_of_record(record), "steps": steps}
        rows.append(row | {"how far it is the paper's": training(record) or "as published"})
    return pd.DataFrame(rows)


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
    return np.array([255 * (prediction - states.bicubic) for prediction in states.predictions])


def energy_figure(states: "States", hr: np.ndarray, luma: np.ndarray) -> Figure:
    """DSRN's Figure 5: above the energy of the HR state at each step, below the residual that each step predicts.

    Parameters
    ----------
    states : States
        Of DSRN, inside the patch.
    hr : numpy.ndarray
        The original patch, `(height, width, 3)`, `uint8`.
    luma : numpy.ndarray
        Its luma in grey levels, `(height, width)`.
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

    Parameters
    ----------
    states : States
        Inside the patch.
    luma : numpy.ndarray
        The original's luma in grey levels, `(height, width)`.
    """
    residuals, truth = _residuals(states), luma - 255 * states.bicubic
    names = [*(f"t = {t + 1}" for t in range(len(residuals))), "mean of all"]
    energies = [*(f"{energy.mean():.3g}" for energy in states.energies), ""]
    return pd.DataFrame(
        {
            "step": name,
            "mean energy": energy,
            "residual, RMS": f"{_rms(residual):.1f}",
            "error of this step, RMS": f"{_rms(residual - truth):.1f}",
            "correlation with the truth": f"{np.corrcoef(residual.ravel(), truth.ravel())[0, 1]:.2f}",
        }
        for name, energy, residual in zip(names, energies, [*residuals, residuals.mean(0)], strict=True)
    )


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt((values**2).mean()))


def energy_maps_figure(energies: Mapping[str, Sequence[np.ndarray]], hr: np.ndarray, most: int = 7) -> Figure:
    """Energy maps of several networks on one patch: a row for each, and no more than `most` of its states, evenly spread.

    Parameters
    ----------
    energies : mapping
        'drrn' or 'rlcsc' to the energy map of each step.
    hr : numpy.ndarray
        The original patch, in front of every row.
    most : int
        Maps in a row.
    """
    columns, rows = min(most, max(map(len, energies.values()))), len(energies)
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

    Parameters
    ----------
    psnr : mapping
        Network to a frame with a column for each image and the rows '0' (bicubic), '1' to 'T', and 'average'.
    scale : int
        For the axis.
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


def _last_step(psnr: pd.DataFrame) -> str:
    """Name of the last step's row; the frame is that of `step_psnr_figure`."""
    return str(len(psnr) - 2)


def step_psnr_table(psnr: pd.DataFrame) -> pd.DataFrame:
    """PSNR of each step's prediction: a row for each step and for the average, a column for each image and the mean.

    Parameters
    ----------
    psnr : pandas.DataFrame
        One network's, as for `step_psnr_figure`.
    """
    last = _last_step(psnr)
    labels = {"0": "bicubic", last: f"step {last}, the last", "average": "average of all (Eq. 5)"}
    texts = psnr.assign(mean=psnr.mean(axis=1)).map("{:.2f}".format)
    texts.insert(0, "prediction", [labels.get(step, f"step {step}") for step in psnr.index])
    return texts


def average_text(psnr: pd.DataFrame, recorded: float | None) -> str:
    """The average of all steps against the last and the best single step, in sentences; Markdown.

    Parameters
    ----------
    psnr : pandas.DataFrame
        DSRN's, as for `step_psnr_figure`.
    recorded : float or None
        PSNR of the network on the same images in its record, to compare with.
    """
    average, gaps = psnr.loc["average"], psnr.loc["average"] - psnr.loc[_last_step(psnr)]
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
    records = [record for record in find_records() if record.info.get("model") == "dsrn"]
    last_states = [record for record in records if not record.info["arguments"].get("average", True)]
    rows = []
    for last_state in last_states:
        arguments = {name: value for name, value in last_state.info["arguments"].items() if name != "average"}
        for average in (record for record in records if record.info["arguments"] == arguments):
            if all(average.info[key] == last_state.info[key] for key in ("recipe", "iterations_done", "seed", "data_sha256")):
                pair = {"the average": average, "the last state": last_state}
                rows += [_readout_row(name, record, arguments["scale"]) for name, record in pair.items()]
    return pd.DataFrame(rows)


def _readout_row(name: str, record: Record, scale: int) -> dict[str, Any]:
    row = {"trained for": name, "record": record.folder.parts[-2], "scale": f"×{scale}", "seed": record.info["seed"]}
    return row | {f"{dataset}, PSNR": record.mean(dataset, scale, "psnr", "drrn") for dataset in ("Set5", "Set14")}
