"""Mean differences between the scores of two experiments of ours, with intervals over seeds and over test images.

Trainings of one network differ by their seed. The standard deviation between seeds is estimated from all networks of ours that
were trained alike (same paper, kind of network, width, recipe, length and data) and are of like depth, because the scores of
deep networks vary more. Their variances are pooled, so that a difference of few seeds has an interval. A network whose seeds
vary significantly more than the others' is not pooled with them. Where no network alike has two seeds there is no interval.
A second interval, over test images, shows how much the difference depends on their choice.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import chain, product

import numpy as np
from scipy.stats import bootstrap, f, t

from srlib.models import meta_model
from srlib.papers import TOLERANCES, claims, full_size_name, get_experiment, width_of
from srlib.papers.orderings import ALIKE, BETTER, NOT_BETTER, NOT_WORSE, Order
from srlib.papers.variants import STANDIN_SUFFIX
from srlib.records.record import Record, pixels_seen, training_fraction
from srlib.records.scores import Runs, runs

LEVEL = 0.95  # of the intervals
LIKE_DEPTH = 1.5  # the larger depth over the smaller, at most, for networks whose seed variances are pooled
SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
Cell = tuple[str, int, str, str]  # dataset, scale, protocol, metric
SeedStd = tuple[float, int]  # standard deviation between seeds (dB) and its degrees of freedom
INSTEAD = {"DIV2K_valid": "Set5"}  # test set to the one on which narrow networks, trained on other images, are compared
PAPER_SIZE = "the paper's size"
MATURE = 0.05  # fraction of the published training from which networks of the paper's size speak for or against the paper


@dataclass(frozen=True)
class Difference:
    """The difference between the scores of two experiments of ours at equal recipe, length and data."""

    better: str  # the experiment that the paper ranks higher
    worse: str
    psnr: float  # better minus worse, mean over seeds, in dB (or in the unit of another metric)
    ci_half_width: float  # half of its 95 % interval; infinite where no network alike has two seeds
    joint_half_width: float  # half of the interval that holds for all pairs of the claim at once
    seeds: tuple[tuple[int, ...], tuple[int, ...]]  # of better, of worse
    dataset: str
    scale: int
    protocol: str
    recipe: str
    training_fraction: float  # of the published training; that of the network with less
    seed_stds: tuple[SeedStd, SeedStd]  # of better, of worse
    by_image: tuple[float, ...] = ()  # the same difference on each test image
    metric: str = "psnr"

    def outcome(self, relation: str) -> str:
        """'supported' if the whole interval is in the range that the claim allows, 'contradicted' if none is, else 'undecided'.

        A claim needs all its pairs, so each pair's own interval may support it. One pair is enough to contradict it, so there
        the interval is the one that holds for all pairs at once. "Alike" is within a score's tolerance.
        """
        tolerance = TOLERANCES[self.metric]
        low, high = {
            BETTER: (0.0, math.inf),
            NOT_WORSE: (-tolerance, math.inf),
            ALIKE: (-tolerance, tolerance),
            NOT_BETTER: (-math.inf, tolerance),
        }[relation]
        if self.psnr + self.joint_half_width < low or self.psnr - self.joint_half_width > high:
            return CONTRADICTED
        return SUPPORTED if self.psnr - self.ci_half_width > low and self.psnr + self.ci_half_width < high else UNDECIDED

    @property
    def images(self) -> tuple[float, float]:
        """Ends of the 95 % interval over test images, in the metric's unit; NaN with fewer than two images."""
        return interval(self.by_image)

    def __str__(self) -> str:
        margin = f" ± {self.ci_half_width:.2f}" if math.isfinite(self.ci_half_width) else ""
        unit = " dB" if self.metric == "psnr" else ""
        return f"{self.better} against {self.worse} {self.psnr:+.2f}{margin}{unit} on {self.dataset} ×{self.scale}"


@lru_cache(8192)
def interval(values: tuple[float, ...]) -> tuple[float, float]:
    """Ends of the 95 % interval of the mean of `values`, in their unit: percentiles of 10,000 bootstrap draws, fixed seed."""
    if len(values) < 2:
        return math.nan, math.nan
    result = bootstrap((values,), np.mean, n_resamples=10_000, confidence_level=LEVEL, method="percentile", rng=0)
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def pooled_std(groups: Iterable[Sequence[float]]) -> SeedStd:
    """Standard deviation within groups, pooled, and its degrees of freedom; (NaN, 0) if none has two values."""
    groups = [np.asarray(values, float) for values in groups if len(values)]
    freedom = sum(len(values) - 1 for values in groups)
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in groups)
    return (math.sqrt(squares / freedom), freedom) if freedom else (math.nan, 0)


def ci_half_width(seed_stds: Sequence[SeedStd], counts: Sequence[int], together: int = 1) -> float:
    """Half the 95 % interval of a mean, or of a difference of two means.

    Parameters
    ----------
    seed_stds : sequence of (float, int)
        Standard deviation and degrees of freedom from `pooled_std`, for each mean. The smaller number of degrees of freedom
        decides the quantile.
    counts : sequence of int
        Number of values of each mean.
    together : int
        Number of intervals that hold at once (Bonferroni).

    Returns
    -------
    float
        In the unit of the values; infinite without degrees of freedom.
    """
    freedom = min(degrees for _, degrees in seed_stds)
    if not freedom:
        return math.inf
    deviation = math.sqrt(sum(sd**2 / n for (sd, _), n in zip(seed_stds, counts, strict=True)))
    return float(t.ppf(1 - (1 - LEVEL) / (2 * together), freedom)) * deviation


def seed_std(name: str, key: tuple, cell: Cell, source: Runs) -> SeedStd:
    """Standard deviation of a cell between seeds and its degrees of freedom, pooled over networks alike.

    Those are all that `alike` pairs with `name` and that were trained at the same `key` (see `Runs.groups`). If the seeds of
    `name` itself vary more than the others' by an F test at 5 %, they alone count.
    """
    scores = {
        other: [record.means[cell] for record in records if cell in record.means]
        for other in source.names(get_experiment(name).paper)
        if (records := _ended(source, other).get(key)) and (other == name or alike(name, other))
    }
    values = scores.pop(name, [])
    (std, freedom), (std_alike, freedom_alike) = pooled_std([values]), pooled_std(scores.values())
    if freedom and freedom_alike and std**2 > f.ppf(LEVEL, freedom, freedom_alike) * std_alike**2:
        return std, freedom
    return pooled_std([values, *scores.values()])


def alike(one: str, other: str) -> bool:
    """Whether two experiments are alike in kind, width, depth and length, so that their seed variances are pooled."""

    def kind(name: str) -> tuple:
        experiment = get_experiment(name)
        snapshot = re.findall(r"_(?:epoch|iteration)\d+", name)  # these stand apart
        return experiment.model, experiment.arguments.get("residual", True), snapshot, width_of(name)

    return kind(one) == kind(other) and like_depth(one, other)


def _ended(source: Runs, name: str) -> dict[tuple, list[Record]]:
    """Records of one experiment's finished runs by key; the length of an unfinished run compares with no other."""
    groups = {key: [r for r in records if r.info.get("finished", True)] for key, records in source.groups(name).items()}
    return {key: records for key, records in groups.items() if records}


def like_depth(one: str, other: str) -> bool:
    """Whether the depths of two experiments' networks differ by a factor of `LIKE_DEPTH` at most."""
    depths = [_depth(name) for name in (one, other)]
    return max(depths) <= LIKE_DEPTH * min(depths)


@cache
def _depth(name: str) -> int:
    return meta_model(get_experiment(name).make).depth


def differences(
    pairs: Sequence[tuple[str, str]],
    form: Callable[[str], str] = str,
    datasets: Sequence[str] = ("Set5",),
    scales: Sequence[int] = (),
    metric: str = "psnr",
    source: Runs | None = None,
) -> Iterator[Difference]:
    """Mean differences between the scores of pairs of experiments.

    Parameters
    ----------
    pairs : sequence of (str, str)
        The better one first; 'bicubic' is the record of bicubic interpolation, which has no seeds.
    form : callable
        From an experiment's name to that of its variant whose runs are compared.
    datasets : sequence of str
        Test sets; one on which either was not scored yields nothing.
    scales : sequence of int
        Default: 3 if the networks are trained for it, else the first of their scales.
    metric : str
        'psnr', 'ssim' or 'ifc', under the first of the experiments' protocols.
    source : Runs, optional
        The records to compare; default: those of `srlib.records.scores.runs`.

    Yields
    ------
    Difference
        One for each pair, set and scale: of the longest runs that both networks have at equal recipe, length and data.
    """
    source = source or runs()
    together = len(pairs) * len(datasets) * max(len(scales), 1)
    for names in ((form(better), form(worse)) for better, worse in pairs):
        networks = [name for name in names if name != "bicubic"]
        groups = [_ended(source, name) for name in names]
        key = _longest(source, networks)
        if key is None:
            continue
        experiment = get_experiment(networks[0])
        trained_scales = experiment.recipe(key[0]).scales
        for dataset, scale in product(datasets, scales or ((3,) if 3 in trained_scales else trained_scales[:1])):
            cell = (dataset, scale, experiment.protocols[0], metric)
            candidates = (group.get(key) or chain(*group.values()) for group in groups)  # bicubic's have another key
            records = [[record for record in group if cell in record.means] for group in candidates]
            if all(records) and len({tuple(r.by_image[cell].index) for r in chain(*records)}) == 1:
                yield _difference(names, _same_seeds(records), key, cell, together, source)


def _longest(source: Runs, names: Sequence[str]) -> tuple | None:
    """The key (see `Runs.groups`) of the longest runs from scratch of all experiments that have scores for a common cell."""
    groups = [_ended(source, name) for name in names]
    fractions = {}
    for key in set.intersection(*map(set, groups)):
        firsts = [group[key][0] for group in groups]
        pixels = [pixels_seen(record.info) for record in firsts]
        common = set.intersection(*(set(record.means) for record in firsts))
        data_as_declared = all(key[2] == get_experiment(name).data for name in names)
        # A run that starts from another has had more training than its length. A recipe's name may hide another length.
        if not key[3] and data_as_declared and common and max(pixels) <= 1.01 * min(pixels):
            fractions[key] = min(map(training_fraction, firsts))
    return max(fractions, key=lambda key: (fractions[key], str(key)), default=None)


def _same_seeds(records: list[list[Record]]) -> list[list[Record]]:
    """The records of the seeds that both experiments have, or all where they share none: scores of one seed correlate."""
    common = set.intersection(*map(set, map(_seeds, records)))
    return [[r for r in group if r.info.get("seed", 0) in common] for group in records] if common else records


def _seeds(records: Sequence[Record]) -> tuple[int, ...]:
    return tuple(sorted(record.info.get("seed", 0) for record in records))


def _difference(
    names: tuple[str, str], records: list[list[Record]], key: tuple, cell: Cell, together: int, source: Runs
) -> Difference:
    seed_stds = tuple((0.0, 1_000_000) if name == "bicubic" else seed_std(name, key, cell, source) for name in names)
    counts = [len(group) for group in records]
    better, worse = (np.mean([record.means[cell] for record in group]) for group in records)
    better_images, worse_images = (np.mean([r.by_image[cell].to_numpy() for r in group], axis=0) for group in records)
    return Difference(
        *names,
        float(better - worse),
        ci_half_width(seed_stds, counts),
        ci_half_width(seed_stds, counts, together),
        tuple(map(_seeds, records)),
        *cell[:3],
        key[0],
        min(training_fraction(group[0]) for group in records),
        seed_stds,
        tuple((better_images - worse_images).tolist()),
        cell[3],
    )


def mean_difference(compared: Sequence[Difference]) -> tuple[float, float]:
    """Mean of some differences (dB) and half its 95 % interval, which is the mean of their half widths.

    Runs of one seed see the same patches in the same order, so their scores correlate, and the mean over networks is not
    taken to vary less than one network.
    """
    return float(np.mean([d.psnr for d in compared])), float(np.mean([d.ci_half_width for d in compared]))


def mean_by_image(compared: Sequence[Difference]) -> tuple[float, float]:
    """Ends of the 95 % interval over test images of the mean of some differences on one set, in the metric's unit."""
    if len({len(d.by_image) for d in compared}) != 1:
        return math.nan, math.nan
    return interval(tuple(np.mean([d.by_image for d in compared], axis=0).tolist()))


def narrow_form(name: str, width: int | str) -> str:
    """The narrow experiment with `width` filters in place of `name`; bicubic interpolation has no width."""
    return name if name == "bicubic" else f"{name.removesuffix('_w128')}_w{width}"


def standin_form(name: str) -> str:
    """The experiment on the stand-in's images in place of `name`."""
    return name if name == "bicubic" else name + STANDIN_SUFFIX


@dataclass(frozen=True)
class Evidence:
    """The differences that networks of one size have for a claim of order, and their outcome."""

    size: str  # in words
    form: Callable[[str], str]  # from an experiment's name to its variant's
    differences: tuple[Difference, ...]  # on the cells that the claim's sentence names
    outcome: str  # 'supported', 'contradicted' or 'undecided'
    complete: bool  # whether all pairs have runs, on all cells

    @property
    def mature(self) -> bool:
        """Whether the networks are the paper's own, trained for `MATURE` of its training or more."""
        return self.size == PAPER_SIZE and self.training_fraction >= MATURE

    @property
    def training_fraction(self) -> float:
        """Fraction of the published training that the least trained network has had."""
        return min(difference.training_fraction for difference in self.differences)


def find_differences(order: Order, source: Runs | None = None) -> list[Evidence]:
    """The evidence on a claim for each size of network: the paper's first, then narrow ones from the widest."""
    source = source or runs()
    variants = [(PAPER_SIZE, str), (f"{PAPER_SIZE}, other training images", standin_form)]
    widths = {int(width_of(name)) for name in source.names() if width_of(name)}
    variants += [(f"{width} filters", partial(narrow_form, width=width)) for width in sorted(widths, reverse=True)]
    options = {"scales": order.scales, "metric": order.metric, "source": source}
    evidence = []
    for size, form in variants:
        compared = tuple(differences(order.pairs, form, order.datasets, **options))
        if not compared and form is not str and (instead := [INSTEAD[name] for name in order.datasets if name in INSTEAD]):
            compared = tuple(differences(order.pairs, form, instead, **options))
            size += f", on {' and '.join(instead)} in place of {' and '.join(order.datasets)}"
        if compared:
            complete = len(compared) == len(order.pairs) * len(order.datasets) * max(len(order.scales), 1)
            evidence.append(Evidence(size, form, compared, outcome(order, compared, complete), complete))
    return evidence


def deciding_evidence(order: Order, source: Runs | None = None) -> Evidence | None:
    """The evidence that gives the verdict.

    It is that of the paper's own networks if they are mature and decide. Else it is that with the most comparisons; of equals
    the one with the most intervals; of equals that of the largest networks.
    """
    evidence = find_differences(order, source)
    mature = [e for e in evidence if e.mature and e.outcome != UNDECIDED]
    return max(
        mature or evidence,
        key=lambda e: (len(e.differences), sum(math.isfinite(d.ci_half_width) for d in e.differences)),
        default=None,
    )


def evidence_on(order: Order, dataset: str) -> list[Difference]:
    """The differences on one test set, whether or not the claim names it, of the networks that give the verdict."""
    if (evidence := deciding_evidence(order)) is None:
        return []
    return list(differences(order.pairs, evidence.form, (dataset,), order.scales, order.metric))


def outcome(order: Order, compared: Sequence[Difference], complete: bool = True) -> str:
    """The outcome of a claim from its differences: 'supported', 'contradicted' or 'undecided'.

    One contradicted pair contradicts the claim. It takes all pairs, on all sets and scales that its sentence names, to support
    the claim; `complete` is whether they are all there.
    """
    outcomes = {difference.outcome(order.relation) for difference in compared}
    if CONTRADICTED in outcomes:
        return CONTRADICTED
    return SUPPORTED if outcomes == {SUPPORTED} and complete else UNDECIDED


def printed_difference(difference: Difference, paper: str) -> float | None:
    """The difference (dB) between the same two networks in one paper's print; `None` where it does not print both."""
    better, worse = full_size_name(difference.better), full_size_name(difference.worse)
    cell = ("measured", "psnr", difference.dataset, difference.scale)
    numbers = {c.experiment: c.number for c in reversed(claims(paper)) if (c.kind, c.metric, c.dataset, c.scale) == cell}
    return numbers[better] - numbers[worse] if better in numbers and worse in numbers else None
