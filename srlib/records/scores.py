"""Our runs: the committed records by experiment, and the number that they give for a cell."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

import numpy as np

from srlib.records.record import Record, find_records, training_fraction
from srlib.training.recipe import EVIDENCE


@dataclass(frozen=True)
class OurScore:
    """Our number: the mean over the seeds of one experiment at one recipe and length."""

    values: tuple[float, ...]  # of each seed
    records: tuple[Record, ...]

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.values))

    @property
    def training_fraction(self) -> float:
        """Share of the published training behind it."""
        return training_fraction(self.records[0])

    @property
    def finished(self) -> bool:
        """Whether all its runs have ended; true where nothing is trained."""
        return all(record.info.get("finished", True) for record in self.records)

    @property
    def seeds(self) -> tuple[int, ...]:
        """In order."""
        return tuple(record.info.get("seed", 0) for record in self.records)

    @property
    def recipe(self) -> str:
        """Its name; empty where nothing was trained."""
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
            if info.get("recipe", {}).get("name", "") not in recipes:
                continue
            line = tuple((ancestor["experiment"], ancestor["pixels"]) for ancestor in info.get("ancestors", ()))
            key = (info.get("recipe", {}).get("name", ""), info.get("budget", 1.0), info.get("data", ""), line)
            self._groups[info["experiment"]][key].append(record)

    def groups(self, experiment: str) -> dict[tuple, list[Record]]:
        """Records of one experiment by (recipe, budget, data, its ancestors and their pixels), a list of seeds each."""
        return self._groups.get(experiment, {})

    def names(self, paper: str = "") -> list[str]:
        """All experiments that have a record, or those of one paper."""
        return [n for n, groups in self._groups.items() if paper in ("", next(iter(groups.values()))[0].folder.parts[-3])]

    def find(self, experiment: str, dataset: str, scale: int | None, metric: str, protocol: str) -> OurScore | None:
        """Our number for one cell: that of the longest runs that were scored so; of unfinished ones where none has ended."""
        found = []
        for records in self.groups(experiment).values():
            scored = [(record.means.get((dataset, scale, protocol, metric)), record) for record in records]
            scored = [(value, record) for value, record in scored if value is not None and "diverged" not in record.info]
            scored = [(value, record) for value, record in scored if record.info.get("finished", True)] or scored
            if scored:
                found.append(OurScore(*(tuple(column) for column in zip(*scored, strict=True))))
        return max(found, key=lambda ours: (ours.finished, ours.training_fraction), default=None)


def percent(share: float) -> str:
    """A share with two digits: 0.0096 %, 17 %, 130 %."""
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


@cache
def runs() -> Runs:
    """The records as they are now, read once."""
    return Runs()
