"""Depth at equal compute: the gain of a deep DRRN over shallow ones that are trained longer, as text of the book."""

import numpy as np

from pages import table
from srlib.figures.grid import structure_name
from srlib.ledger.comparisons import narrow_form
from srlib.models import meta_model
from srlib.papers import get_experiment
from srlib.records.record import Record
from srlib.records.scores import runs
from srlib.training.recipe import operations

RECURSIONS = ("drrn_b1u25", "drrn_b1u9", "drrn_b1u3")  # one block of 25, 9 and 3 units: as many weights in each
WIDTH = 16
CLOSE = 0.02  # relative difference up to which two lengths, or two amounts of operations, count as equal
SCALE, SETS = 3, ("Set5", "Set14")


def equal_compute() -> str:
    """Narrow DRRNs of three depths beside the deepest: at equal iterations, and at equal operations, as Markdown."""
    deepest, *shallower = (narrow_form(name, WIDTH) for name in RECURSIONS)
    reference = min(_finished(deepest), key=_operations, default=None)
    if reference is None:
        return f"`{deepest}` has not been trained yet."
    rows = [_row("itself", reference)]
    for title, amount in (("equal iterations", _iterations), ("equal operations", _operations)):
        for name in shallower:
            equal = [records for records in _finished(name) if abs(amount(records) / amount(reference) - 1) <= CLOSE]
            not_run = [{"compared at": title, "network": structure_name(name), "iterations": "not run"}]
            rows += [_row(title, records, reference) for records in equal] or not_run
    return table(rows, missing="")


def _finished(name: str) -> list[list[Record]]:
    """Finished trainings from scratch by the recipe `fast`: a list for each length, a record for each seed."""
    groups = [
        [record for record in records if record.info["finished"] and record.means]
        for (recipe, _, data, ancestors), records in runs().groups(name).items()
        if recipe == "fast" and data == get_experiment(name).data and not ancestors
    ]
    return [records for records in groups if records]


def _iterations(records: list[Record]) -> int:
    return records[0].info["iterations_done"]


def _operations(records: list[Record]) -> float:
    """Number of floating-point operations of a whole training, counted as on the page of costs."""
    experiment = get_experiment(records[0].info["experiment"])
    return operations(experiment, experiment.recipe("fast"), _iterations(records))


def _row(title: str, records: list[Record], deepest: list[Record] | None = None) -> dict[str, str]:
    """Table row of one network at one length; with `deepest`, its lead over that network in mean PSNR (dB)."""
    name = records[0].info["experiment"]
    row = {
        "compared at": title,
        "network": structure_name(name),
        "layers": str(meta_model(get_experiment(name).make).depth),
        "iterations": f"{_iterations(records):,}",
        "10¹² operations": f"{_operations(records) / 1e12:,.1f}",
    }
    for dataset in SETS:
        values = _scores(records, dataset)
        row[dataset] = ", ".join(f"{value:.2f}" for value in values)
        reference = _scores(deepest, dataset) if deepest else []
        row[f"lead, {dataset}"] = f"{np.mean(reference) - np.mean(values):+.2f}" if values and reference else ""
    return row


def _scores(records: list[Record], dataset: str) -> list[float]:
    scores = [record.mean(dataset, SCALE, "psnr", "drrn") for record in sorted(records, key=lambda r: r.info["seed"])]
    return [score for score in scores if score is not None]
