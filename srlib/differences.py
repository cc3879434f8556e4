"""What our runs say about two experiments: the mean difference of their scores, as far as seeds allow to say it.

Single trainings of one network differ by their seed. How much is estimated from all networks of ours that were trained alike
(same paper, width, recipe, budget and data) and have several seeds: their variances are pooled, so that a difference has an
interval from few seeds, and even from one. That assumes that all of them scatter alike.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.stats import t

from srlib.papers import EXPERIMENTS, TOLERANCES, claims, get_experiment
from srlib.papers.orders import ALIKE, BETTER, NOT_WORSE, Order
from srlib.papers.standin import SUFFIX
from srlib.runs import Runs, runs

LEVEL = 0.95  # of the intervals
# What a claim says of better minus worse (dB). "Comparable" is within the tolerance of a reproduced score.
REGIONS = {
    BETTER: (0.0, math.inf),
    NOT_WORSE: (-TOLERANCES["psnr"], math.inf),
    ALIKE: (-TOLERANCES["psnr"], TOLERANCES["psnr"]),
}
Cell = tuple[str, int, str, str]  # dataset, scale, protocol, metric


@dataclass(frozen=True)
class Difference:
    """Two experiments of ours at equal recipe, budget and data."""

    better: str  # as the paper has it
    worse: str
    psnr: float  # dB, mean over seeds: better minus worse
    margin: float  # dB, half of its interval; infinite where no network of ours has two seeds
    seeds: tuple[tuple[int, ...], tuple[int, ...]]  # of the one, of the other
    dataset: str
    scale: int
    protocol: str
    recipe: str
    budget: float
    scatter: tuple[float, int]  # standard deviation between seeds (dB) and its degrees of freedom

    def says(self, what: str) -> str:
        """'yes' if the whole interval is where the claim has it, 'no' if none of it is, else 'open'."""
        low, high = REGIONS[what]
        if self.psnr + self.margin <= low or self.psnr - self.margin >= high:
            return "no"
        return "yes" if self.psnr - self.margin > low and self.psnr + self.margin < high else "open"

    def __str__(self) -> str:
        margin = f" ± {self.margin:.2f}" if math.isfinite(self.margin) else ""
        return f"{self.better} against {self.worse} {self.psnr:+.2f}{margin} dB"


def pooled(groups: Iterable[Sequence[float]]) -> tuple[float, int]:
    """Standard deviation within groups, pooled, and its degrees of freedom; (NaN, 0) if none has two values."""
    groups = [np.asarray(values, float) for values in groups if len(values)]
    freedom = sum(len(values) - 1 for values in groups)
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in groups)
    return (math.sqrt(squares / freedom), freedom) if freedom else (math.nan, 0)


def margin(deviation: float, freedom: int, counts: Iterable[int], together: int = 1) -> float:
    """Half the 95 % interval of a mean, or of a difference of two means.

    Parameters
    ----------
    deviation, freedom
        From `pooled`.
    counts : iterable of int
        Values behind the mean, or behind each of the two.
    together : int
        How many intervals are to hold at once (Bonferroni).

    Returns
    -------
    float
        In the unit of `deviation`; infinite without degrees of freedom.
    """
    if not freedom:
        return math.inf
    return float(t.ppf(1 - (1 - LEVEL) / (2 * together), freedom)) * deviation * math.sqrt(sum(1 / n for n in counts))


def scatter(name: str, key: tuple, cell: Cell, source: Runs | None = None) -> tuple[float, int]:
    """What seeds do to a cell: pooled over all that was trained like `name` at `key`, or, if none has two seeds, over all."""
    source = source or runs()
    alike = [n for n in source.names(_paper(name)) if filters(n) == filters(name)]
    deviation, freedom = pooled(_values(n, key, cell, source) for n in alike)
    if freedom:
        return deviation, freedom
    return pooled(_values(n, k, cell, source) for n in source.names() for k in source.groups(n))


def _values(name: str, key: tuple, cell: Cell, source: Runs) -> list[float]:
    return [record.means[cell] for record in source.groups(name).get(key, ()) if cell in record.means]


def _paper(name: str) -> str:
    return get_experiment(name).paper


def filters(name: str) -> str:
    """The number that a narrow form's name ends in; empty for a network of the paper's size."""
    match = re.search(r"_w(\d+)$", name)
    return match[1] if match else ""


def whole(name: str) -> str:
    """The paper's experiment of which `name` is a narrow form, or itself."""
    base = name.removesuffix(f"_w{filters(name)}")
    return f"{base}_w128" if f"{base}_w128" in EXPERIMENTS else base


def differences(
    pairs: Sequence[tuple[str, str]],
    form: Callable[[str], str] = str,
    datasets: Sequence[str] = ("DIV2K_valid", "Set5"),
    protocol: str = "",
    source: Runs | None = None,
) -> Iterator[Difference]:
    """What our runs say about pairs of experiments.

    Parameters
    ----------
    pairs : sequence of (str, str)
        The better one first.
    form : callable
        What was run in place of an experiment: itself, on the stand-in's data, or a narrow form (see `forms`).
    datasets : sequence of str
        Test sets; the first counts that both were scored on.
    protocol : str
        Default: the experiments' first.
    source : Runs, optional
        The records that count; default: those of `srlib.runs.runs`.

    Yields
    ------
    Difference
        One for each pair, recipe, budget and data that both were run with. Its interval holds for all pairs at once.
    """
    source = source or runs()
    for better, worse in ((form(a), form(b)) for a, b in pairs):
        groups = [source.groups(name) for name in (better, worse)]
        # From scratch alone: what builds on another run has had more training than its own budget says.
        for key in (key for key in groups[0] if key in groups[1] and not key[3]):
            experiment = get_experiment(better)
            scales = experiment.recipe(key[0]).scales
            for dataset in datasets:
                cell = (dataset, 3 if 3 in scales else scales[0], protocol or experiment.protocols[0], "psnr")
                records = [[r for r in group[key] if cell in r.means] for group in groups]
                if not all(records):
                    continue
                one, other = ([r.means[cell] for r in several] for several in records)
                scattered = scatter(better, key, cell, source)
                wide = margin(*scattered, (len(one), len(other)), len(pairs))
                seeds = tuple(tuple(sorted(r.info["seed"] for r in several)) for several in records)
                psnr = float(np.mean(one) - np.mean(other))
                yield Difference(better, worse, psnr, wide, seeds, dataset, *cell[1:3], key[0], key[1], scattered)
                break


def mean_difference(found: Sequence[Difference]) -> tuple[float, float]:
    """The mean of several differences (dB) and half its 95 % interval, which is as wide as theirs alone.

    Runs of one seed see the same patches in the same order and share their luck, so the mean of several networks is not
    taken to scatter less than one.
    """
    halves = [margin(*difference.scatter, map(len, difference.seeds)) for difference in found]
    return float(np.mean([difference.psnr for difference in found])), float(np.mean(halves))


def narrow_form(name: str, width: int | str) -> str:
    """The narrow experiment with `width` filters in place of `name`."""
    return f"{name.removesuffix('_w128')}_w{width}"


def forms(source: Runs | None = None) -> Iterator[Callable[[str], str]]:
    """The names under which an experiment may have been run: itself, on the stand-in's data, narrow from the widest."""
    yield str
    yield lambda name: name + SUFFIX
    for width in sorted({int(filters(name)) for name in (source or runs()).names() if filters(name)}, reverse=True):
        yield partial(narrow_form, width=width)


def evidence(order: Order, source: Runs | None = None, **options: object) -> list[Difference]:
    """The differences that decide a claim of order: of the papers' own networks, or of the widest narrow ones that were run."""
    found = (list(differences(order.pairs, form, source=source, **options)) for form in forms(source))
    return next(filter(None, found), [])


def outcome(order: Order, found: Sequence[Difference]) -> str:
    """What the differences of all pairs say of a claim together: 'yes', 'open' or 'no'; empty where there is none.

    One pair that says 'no' decides; 'yes' takes all pairs of the claim.
    """
    answers = [difference.says(order.says) for difference in found]
    if "no" in answers:
        return "no"
    pairs = {(difference.better, difference.worse) for difference in found}
    return "yes" if set(answers) == {"yes"} and len(pairs) == len(order.pairs) else "open" if found else ""


def printed_difference(difference: Difference, paper: str) -> float | None:
    """The same two networks' difference (dB) as one paper prints it; `None` where it does not print both."""
    values = []
    for name in (whole(difference.better), whole(difference.worse)):
        cells = [c for c in claims(paper) if (c.kind, c.metric, c.experiment) == ("measured", "psnr", name)]
        values += [c.number for c in cells if (c.dataset, c.scale) == (difference.dataset, difference.scale)][:1]
    return values[0] - values[1] if len(values) == 2 else None
