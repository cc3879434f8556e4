"""Our runs: the committed records by experiment, and our score for a cell."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import numpy as np

from srlib.records.record import Record, find_records, training_fraction
from srlib.training.recipe import EVIDENCE


@dataclass(frozen=True)
class OurScore:
    """Our score for a cell: one value for each seed of an experiment, at one recipe and length."""

    values: tuple[float, ...]  # of each seed
    records: tuple[Record, ...]

    @property
    def value(self) -> float:
        """Mean over seeds, in the metric's unit."""
        return float(np.mean(self.values))

    @property
    def training_fraction(self) -> float:
        """Pixels of all patches seen, as a fraction of the published training's."""
        return training_fraction(self.records[0])

    @property
    def finished(self) -> bool:
        """Whether all its runs have ended; true where nothing is trained."""
        return all(record.info.get("finished", True) for record in self.records)

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of the runs, in the order of `values`."""
        return tuple(record.info.get("seed", 0) for record in self.records)

    @property
    def recipe(self) -> str:
        """Name of the recipe; empty where nothing is trained."""
        return self.records[0].info.get("recipe", {}).get("name", "")


class Runs:
    """The committed records by experiment.

    Parameters
    ----------
    recipes : collection of str
        Names of the recipes whose records count; by default those of trial recipes are left out.
    """

    def __init__(self, recipes: Collection[str] = EVIDENCE) -> None:
        self._groups: dict[str, dict[tuple, list[Record]]] = defaultdict(lambda: defaultdict(list))
        for record in find_records():
            info = record.info
            recipe = info.get("recipe", {}).get("name", "")
            if recipe in recipes:
                line = tuple((ancestor["experiment"], ancestor["pixels"]) for ancestor in info.get("ancestors", ()))
                key = (recipe, info.get("budget", 1.0), info.get("data", ""), line)
                self._groups[info["experiment"]][key].append(record)

    def groups(self, experiment: str) -> dict[tuple, list[Record]]:
        """Records of one experiment by key: (recipe, budget, data, ancestors with their pixels); one for each seed."""
        return self._groups.get(experiment, {})

    def names(self, paper: str = "") -> list[str]:
        """Names of all experiments that have a record, or of those of one paper."""
        return [n for n, groups in self._groups.items() if paper in ("", next(iter(groups.values()))[0].folder.parts[-3])]

    def find(self, experiment: str, dataset: str, scale: int | None, metric: str, protocol: str) -> OurScore | None:
        """Our score for one cell: that of the longest finished runs, or of unfinished ones where none has finished."""
        scores = []
        for records in self.groups(experiment).values():
            cell = (dataset, scale, protocol, metric)
            candidates = [record for record in records if cell in record.means and "diverged" not in record.info]
            candidates = [record for record in candidates if record.info.get("finished", True)] or candidates
            if candidates:
                scores.append(OurScore(tuple(record.means[cell] for record in candidates), tuple(candidates)))
        return max(scores, key=lambda ours: (ours.finished, ours.training_fraction), default=None)


def percent(fraction: float) -> str:
    """A fraction in percent, with two digits: 0.0096 %, 17 %, 130 %."""
    return f"{100 * fraction:.2g} %" if fraction < 0.995 else f"{100 * fraction:.0f} %"


@cache
def runs() -> Runs:
    """The committed records, read once in a process."""
    return Runs()
