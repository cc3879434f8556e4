"""What our runs say about two experiments: the mean difference of their scores, as far as seeds and images allow to say it.

Single trainings of one network differ by their seed. How much is estimated from networks of ours that were trained alike (same
paper, kind of network, width, recipe, length and data), have several seeds and are of like depth, for deep networks scatter
more. Their variances are pooled, so that a difference has an interval from few seeds; but a network whose own seeds scatter
significantly more than the others' has its own. Where no network alike has two seeds there is no interval.
A second interval says how much the difference depends on the choice of test images.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product

import numpy as np
from scipy.stats import bootstrap, f, t

from srlib.models import meta_model
from srlib.papers import TOLERANCES, claims, full_size_name, get_experiment, width_of
from srlib.papers.orderings import ALIKE, BETTER, NOT_BETTER, NOT_WORSE, Order
from srlib.papers.variants import STANDIN_SUFFIX
from srlib.records.record import Record, pixels_seen, training_fraction
from srlib.records.scores import Runs, runs

LEVEL = 0.95  # of the intervals
LIKE_DEPTH = 1.5  # the larger depth over the smaller, at most, for networks whose scatter is pooled
SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
Cell = tuple[str, int, str, str]  # dataset, scale, protocol, metric
SeedStd = tuple[float, int]  # standard deviation between seeds (dB) and its degrees of freedom
INSTEAD = {"DIV2K_valid": "Set5"}  # on which narrow networks, trained on other images, are compared in place of another set
MATURE = 0.05  # share of the published training from which networks of the paper's size speak for or against the paper


def region(says: str, metric: str = "psnr") -> tuple[float, float]:
    """Where a claim has better minus worse. "Comparable" is within the tolerance of a score."""
    tolerance = TOLERANCES[metric]
    regions = {BETTER: (0.0, math.inf), NOT_WORSE: (-tolerance, math.inf), ALIKE: (-tolerance, tolerance)}
    return (regions | {NOT_BETTER: (-math.inf, tolerance)})[says]


@dataclass(frozen=True)
class Difference:
    """Two experiments of ours at equal recipe, length and data."""

    better: str  # as the paper has it
    worse: str
    psnr: float  # dB (or the unit of another metric), mean over seeds: better minus worse
    ci_half_width: float  # half of its interval; infinite where no network alike has two seeds
    joint_half_width: float  # half of the interval when those of all pairs of the claim are to hold at once
    seeds: tuple[tuple[int, ...], tuple[int, ...]]  # of the one, of the other
    dataset: str
    scale: int
    protocol: str
    recipe: str
    training_fraction: float  # of the published training, of the one with less
    seed_stds: tuple[SeedStd, SeedStd]  # of the one, of the other
    by_image: tuple[float, ...] = ()  # the same difference on each test image
    metric: str = "psnr"

    def outcome(self, what: str) -> str:
        """'supported' if the whole interval is where the claim has it, 'contradicted' if none of it is, else 'undecided'.

        A claim needs all its pairs, so each pair's own interval may support it. One pair is enough to contradict it, so there
        the interval is the one that holds for all pairs at once.
        """
        low, high = region(what, self.metric)
        if self.psnr + self.joint_half_width < low or self.psnr - self.joint_half_width > high:
            return CONTRADICTED
        return SUPPORTED if self.psnr - self.ci_half_width > low and self.psnr + self.ci_half_width < high else UNDECIDED

    @property
    def images(self) -> tuple[float, float]:
        """The ends of the interval over test images; NaN with fewer than two."""
        return interval(self.by_image)

    def __str__(self) -> str:
        margin = f" ± {self.ci_half_width:.2f}" if math.isfinite(self.ci_half_width) else ""
        place = f" on {self.dataset} ×{self.scale}"
        return f"{self.better} against {self.worse} {self.psnr:+.2f}{margin}{' dB' * (self.metric == 'psnr')}{place}"


@lru_cache(8192)
def interval(values: tuple[float, ...]) -> tuple[float, float]:
    """The ends of the 95 % interval of the mean of `values`: percentiles of 10,000 bootstrap draws, fixed seed."""
    if len(values) < 2:
        return math.nan, math.nan
    found = bootstrap((values,), np.mean, n_resamples=10_000, confidence_level=LEVEL, method="percentile", rng=0)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def pooled_std(groups: Iterable[Sequence[float]]) -> SeedStd:
    """Standard deviation within groups, pooled, and its degrees of freedom; (NaN, 0) if none has two values."""
    groups = [np.asarray(values, float) for values in groups if len(values)]
    freedom = sum(len(values) - 1 for values in groups)
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in groups)
    return (math.sqrt(squares / freedom), freedom) if freedom else (math.nan, 0)


def ci_half_width(scatters: Sequence[SeedStd], counts: Sequence[int], together: int = 1) -> float:
    """Half the 95 % interval of a mean, or of a difference of two means.

    Parameters
    ----------
    scatters : sequence of (float, int)
        From `pooled`: of the mean, or of each of the two. The one with fewer degrees of freedom decides the quantile.
    counts : sequence of int
        Values behind the mean, or behind each of the two.
    together : int
        How many intervals are to hold at once (Bonferroni).

    Returns
    -------
    float
        In the unit of the values; infinite without degrees of freedom.
    """
    freedom = min(degrees for _, degrees in scatters)
    if not freedom:
        return math.inf
    deviation = math.sqrt(sum(sd**2 / n for (sd, _), n in zip(scatters, counts, strict=True)))
    return float(t.ppf(1 - (1 - LEVEL) / (2 * together), freedom)) * deviation


def seed_std(name: str, key: tuple, cell: Cell, source: Runs | None = None) -> SeedStd:
    """What seeds do to a cell: pooled over all networks alike and trained like `name` at `key`.

    If its own seeds scatter more than the others' by an F test at 5 %, they stand alone.
    """
    source = source or runs()
    groups = {other: _ended(source, other).get(key, ()) for other in source.names(get_experiment(name).paper)}
    scores = {other: [r.means[cell] for r in group if cell in r.means] for other, group in groups.items() if group}
    own = scores.pop(name, [])
    others = [values for other, values in scores.items() if alike(name, other)]
    (one, freedom), (rest, more) = pooled_std([own]), pooled_std(others)
    if freedom and more and one**2 > f.ppf(LEVEL, freedom, more) * rest**2:
        return one, freedom
    return pooled_std([own, *others])


def alike(one: str, other: str) -> bool:
    """Whether two experiments are so alike that their scatter is pooled: in kind, width, depth and length."""
    kinds = [(e.model, e.arguments.get("residual", True)) for e in map(get_experiment, (one, other))]
    labels = [re.findall(r"_(?:epoch|iteration)\d+", name) for name in (one, other)]  # what was kept on the way is apart
    return kinds[0] == kinds[1] and labels[0] == labels[1] and width_of(one) == width_of(other) and like_depth(one, other)


def _ended(source: Runs, name: str) -> dict[tuple, list[Record]]:
    """The records of one experiment whose runs have ended: an unfinished one has a length that nothing else has."""
    groups = {key: [r for r in several if r.info.get("finished", True)] for key, several in source.groups(name).items()}
    return {key: several for key, several in groups.items() if several}


@lru_cache(8192)
def like_depth(one: str, other: str) -> bool:
    """Whether two experiments' networks are so alike in depth that their scatter is pooled."""
    depths = [meta_model(get_experiment(name).make).depth for name in (one, other)]
    return max(depths) <= LIKE_DEPTH * min(depths)


def differences(
    pairs: Sequence[tuple[str, str]],
    form: Callable[[str], str] = str,
    datasets: Sequence[str] = ("Set5",),
    scales: Sequence[int] = (),
    protocol: str = "",
    metric: str = "psnr",
    source: Runs | None = None,
) -> Iterator[Difference]:
    """What our runs say about pairs of experiments.

    Parameters
    ----------
    pairs : sequence of (str, str)
        The better one first; 'bicubic' is the record of bicubic interpolation, which does not scatter.
    form : callable
        What was run in place of an experiment: itself, on the stand-in's data, or a narrow form (see `forms`).
    datasets : sequence of str
        Test sets; those count on which both were scored.
    scales : sequence of int
        Default: 3 if the networks know it, else their first.
    protocol : str
        Default: the experiments' first.
    metric : str
        'psnr', 'ssim' or 'ifc'.
    source : Runs, optional
        The records that count; default: those of `srlib.records.scores.runs`.

    Yields
    ------
    Difference
        One for each pair, set and scale: of the longest runs that both networks have at equal recipe, length and data.
    """
    source = source or runs()
    together = len(pairs) * len(datasets) * max(len(scales), 1)
    for better, worse in ((form(a), form(b)) for a, b in pairs):
        trained = [name for name in (better, worse) if name != "bicubic"]
        groups = [_ended(source, name) for name in (better, worse)]
        key = _longest(source, trained)
        if key is None:
            continue
        known = get_experiment(trained[0])
        wanted = scales or ((3,) if 3 in known.recipe(key[0]).scales else known.recipe(key[0]).scales[:1])
        for dataset, scale in product(datasets, wanted):
            cell = (dataset, scale, protocol or known.protocols[0], metric)
            records = [
                [r for r in (group.get(key, ()) if name in trained else _any(group)) if cell in r.means]
                for name, group in zip((better, worse), groups, strict=True)
            ]
            if all(records) and len({tuple(r.by_image[cell].index) for several in records for r in several}) == 1:
                yield _difference(better, worse, _same_seeds(records), key, cell, together, source)


def _longest(source: Runs, names: Sequence[str]) -> tuple | None:
    """The recipe, length and data of the longest runs from scratch that all have in common and that are scored alike."""
    groups = [_ended(source, name) for name in names]
    found = {}
    for key in set.intersection(*map(set, groups)):
        firsts = [group[key][0] for group in groups]
        seen = [pixels_seen(record.info) for record in firsts]
        common = set.intersection(*(set(record.means) for record in firsts))
        data_as_declared = all(key[2] == get_experiment(name).data for name in names)
        # What builds on another run has had more training than its own length says. A recipe's name may hide another length.
        if not key[3] and data_as_declared and common and max(seen) <= 1.01 * min(seen):
            found[key] = min(map(training_fraction, firsts))
    return max(found, key=lambda key: (found[key], str(key)), default=None)


def _same_seeds(records: list[list[Record]]) -> list[list[Record]]:
    """The records of the seeds that both have; all, where they have none in common. Runs of one seed share their luck."""
    seeds = [{record.info.get("seed", 0) for record in several} for several in records]
    common = seeds[0] & seeds[1]
    return [[r for r in several if r.info.get("seed", 0) in common] for several in records] if common else records


def _any(group: dict[tuple, list[Record]]) -> list[Record]:
    """All records of something that is not trained."""
    return [record for records in group.values() for record in records]


def _difference(
    better: str, worse: str, records: list[list[Record]], key: tuple, cell: Cell, together: int, source: Runs
) -> Difference:
    one, other = ([record.means[cell] for record in several] for several in records)
    scatters = tuple(seed_std(name, key, cell, source) if name != "bicubic" else (0.0, 1_000_000) for name in (better, worse))
    counts = (len(one), len(other))
    return Difference(
        better,
        worse,
        float(np.mean(one) - np.mean(other)),
        ci_half_width(scatters, counts),
        ci_half_width(scatters, counts, together),
        tuple(tuple(sorted(record.info.get("seed", 0) for record in several)) for several in records),
        *cell[:3],
        key[0],
        min(training_fraction(several[0]) for several in records),
        scatters,
        tuple(_by_image(records, cell)),
        cell[3],
    )


def _by_image(records: list[list[Record]], cell: Cell) -> list[float]:
    """The difference on each image, of means over seeds."""
    one, other = (np.mean([record.by_image[cell].to_numpy() for record in several], axis=0) for several in records)
    return list(map(float, one - other))


def mean_difference(found: Sequence[Difference]) -> tuple[float, float]:
    """The mean of several differences (dB) and half its 95 % interval, which is as wide as theirs alone.

    Runs of one seed see the same patches in the same order and share their luck, so the mean of several networks is not
    taken to scatter less than one.
    """
    return float(np.mean([d.psnr for d in found])), float(np.mean([d.ci_half_width for d in found]))


def mean_by_image(found: Sequence[Difference]) -> tuple[float, float]:
    """The ends of the interval over test images of the mean of several differences on one set."""
    if len({len(d.by_image) for d in found}) != 1:
        return math.nan, math.nan
    return interval(tuple(map(float, np.mean([d.by_image for d in found], axis=0))))


def narrow_form(name: str, width: int | str) -> str:
    """The narrow experiment with `width` filters in place of `name`; bicubic interpolation has no width."""
    return name if name == "bicubic" else f"{name.removesuffix('_w128')}_w{width}"


def standin_form(name: str) -> str:
    """The experiment on the stand-in's images in place of `name`."""
    return name if name == "bicubic" else name + STANDIN_SUFFIX


def run_variants(source: Runs | None = None) -> Iterator[tuple[str, Callable[[str], str]]]:
    """What may have been run in place of the papers' networks, in words, and its names: the networks themselves come first."""
    yield "the paper's size", str
    yield "the paper's size, other training images", standin_form
    for width in sorted({int(width_of(name)) for name in (source or runs()).names() if width_of(name)}, reverse=True):
        yield f"{width} filters", partial(narrow_form, width=width)


@dataclass(frozen=True)
class Evidence:
    """What networks of one size say of a claim of order."""

    size: str  # in words
    form: Callable[[str], str]  # the name of what was run in place of an experiment
    differences: tuple[Difference, ...]  # on the cells that the claim's sentence names
    outcome: str  # 'supported', 'contradicted' or 'undecided'
    complete: bool  # whether all pairs were run, on all cells

    @property
    def full_size(self) -> bool:
        """Whether the networks are the paper's own, on its data."""
        return self.size == "the paper's size"

    @property
    def mature(self) -> bool:
        """Whether it speaks for or against the paper: its own networks, not too briefly trained."""
        return self.full_size and self.training_fraction >= MATURE

    @property
    def training_fraction(self) -> float:
        """Of the published training, of the network with the least."""
        return min(difference.training_fraction for difference in self.differences)


def find_differences(order: Order, source: Runs | None = None) -> list[Evidence]:
    """What our runs say of a claim, apart for each size of network: the paper's first, then narrow ones from the widest."""
    found = []
    options = {"scales": order.scales, "metric": order.metric, "source": source}
    for size, form in run_variants(source):
        several = tuple(differences(order.pairs, form, order.datasets, **options))
        if not several and form is not str and (instead := [INSTEAD[name] for name in order.datasets if name in INSTEAD]):
            several = tuple(differences(order.pairs, form, instead, **options))
            size += f", on {' and '.join(instead)} in place of {' and '.join(order.datasets)}"
        if several:
            complete = len(several) == len(order.pairs) * len(order.datasets) * max(len(order.scales), 1)
            found.append(Evidence(size, form, several, outcome(order, several, complete), complete))
    return found


def deciding_evidence(order: Order, source: Runs | None = None) -> Evidence | None:
    """The evidence that gives the verdict.

    That of the paper's own networks if they are trained for long enough and decide; else that with the most comparisons, of
    equals the one with the most intervals, of equals the largest networks'.
    """
    found = find_differences(order, source)
    own = [e for e in found if e.mature and e.outcome != UNDECIDED]
    return max(
        own or found,
        key=lambda e: (len(e.differences), sum(math.isfinite(d.ci_half_width) for d in e.differences)),
        default=None,
    )


def evidence_on(order: Order, dataset: str, source: Runs | None = None) -> list[Difference]:
    """The differences on one test set, whether or not the claim names it, of the networks that give the verdict."""
    found = deciding_evidence(order, source)
    if found is None:
        return []
    return list(differences(order.pairs, found.form, (dataset,), order.scales, metric=order.metric, source=source))


def outcome(order: Order, found: Sequence[Difference], complete: bool = True) -> str:
    """What the differences of a claim say of it together.

    One pair contradicts it; all pairs, on all sets and scales that its sentence names, support it.
    """
    answers = {difference.outcome(order.relation) for difference in found}
    if CONTRADICTED in answers:
        return CONTRADICTED
    return SUPPORTED if answers == {SUPPORTED} and complete else UNDECIDED


def printed_difference(difference: Difference, paper: str) -> float | None:
    """The same two networks' difference (dB) as one paper prints it; `None` where it does not print both."""
    values = []
    for name in (full_size_name(difference.better), full_size_name(difference.worse)):
        cells = [c for c in claims(paper) if (c.kind, c.metric, c.experiment) == ("measured", "psnr", name)]
        values += [c.number for c in cells if (c.dataset, c.scale) == (difference.dataset, difference.scale)][:1]
    return values[0] - values[1] if len(values) == 2 else None
