"""The methods of a figure: each found by its experiment, ready to run, with its record and how far it is the paper's."""

import os
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from srlib.errors import InputError
from srlib.models import VDSR
from srlib.papers import get_experiment
from srlib.records.record import Record, find_record, training_fraction
from srlib.records.scores import percent
from srlib.training.checkpoint import digest, load_weights


@dataclass(frozen=True)
class TrainedMethod:
    """A method as a figure names it; `model` is `None` for bicubic, `note` says how far a network is the paper's."""

    label: str
    model: nn.Module | None
    record: Record | None
    note: str = ""


def find_method(label: str, experiment: str, scale: int, device: str = "cpu") -> TrainedMethod | str:
    """A method by its experiment, ready to run.

    Parameters
    ----------
    label : str
        Its name in the figure.
    experiment : str
        Of srlib, with `{scale}` in place of the scale; `bicubic`; `vdsr_official`, the released VDSR, whose weights are in the
        file that `SRLIB_VDSR_WEIGHTS` names; or '' for a method that this project does not run.
    scale : int
        2, 3 or 4.
    device : str
        'cpu' or 'cuda'.

    Returns
    -------
    Method or str
        The method, or why there is none.
    """
    name = experiment.format(scale=scale)
    record = find_record(name) if name else None
    if not name:
        return "not run here"
    if name == "bicubic":
        return TrainedMethod(label, None, record)
    if name == "vdsr_official":
        path = os.environ.get("SRLIB_VDSR_WEIGHTS", "")
        if not Path(path).is_file():
            return "set `SRLIB_VDSR_WEIGHTS` to the file of its weights"
        model = load_weights(VDSR(), path)
        if record and digest(model.state_dict()) != record.info["weights_sha256"]:
            raise InputError(f"SRLIB_VDSR_WEIGHTS names {path}, which holds other weights than the released ones.")
        return TrainedMethod(label, model.to(device), record)
    if record is None or not (record.folder / "weights.safetensors").exists():
        return "no record yet"
    if scale not in record.info["recipe"]["scales"]:
        return f"trained for ×{', ×'.join(map(str, record.info['recipe']['scales']))} alone"
    return TrainedMethod(label, record.model().to(device), record, training(record))


def training(record: Record) -> str:
    """How far a trained network is the paper's: its filters if they are fewer, and its share of the published training."""
    arguments, done = record.info["arguments"], training_fraction(record)
    narrow = "published" not in {recipe.name for recipe in get_experiment(record.info["experiment"]).recipes}
    width = next((f"{arguments[k]} filters, " for k in ("width", "n", "C") if narrow and k in arguments), "")
    return f"{width}{percent(done)} of training" if width or done < 1 else ""
