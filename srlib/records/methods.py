"""The methods of a figure: each loaded by its experiment, with its record and the fraction of training that it has had."""

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
    """A method with its label in a figure; `model` is `None` for bicubic, `note` is that of `training`."""

    label: str
    model: nn.Module | None
    record: Record | None
    note: str = ""


def find_method(label: str, experiment: str, scale: int, device: str = "cpu") -> TrainedMethod | str:
    """The method of an experiment, loaded.

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
    TrainedMethod or str
        The method, or the reason why there is none.

    Raises
    ------
    InputError
        If `SRLIB_VDSR_WEIGHTS` names other weights than the released ones, or the record is damaged.
    """
    if not experiment:
        return "not run here"
    name = experiment.format(scale=scale)
    record = find_record(name)
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
    """A trained network's filters, if fewer than the paper's, and its fraction of the published training, in words."""
    arguments, fraction = record.info["arguments"], training_fraction(record)
    narrow = "published" not in {recipe.name for recipe in get_experiment(record.info["experiment"]).recipes}
    width = next((f"{arguments[k]} filters, " for k in ("width", "n", "C") if narrow and k in arguments), "")
    return f"{width}{percent(fraction)} of training" if width or fraction < 1 else ""
