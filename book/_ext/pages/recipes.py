"""Text of the book about the effect of recipes: DRRN's dark pixels, trials of recipes, claims with another outcome."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from pages import table
from srlib.figures.text import escape_markdown
from srlib.ledger.comparisons import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Difference,
    deciding_evidence,
    differences,
    mean_difference,
    narrow_form,
    outcome,
)
from srlib.models import meta_model
from srlib.models.drrn import dark_below
from srlib.papers import claim, claims, get_experiment, width_of
from srlib.papers.orderings import ALIKE, ORDERS
from srlib.records.record import Record, find_records
from srlib.records.scores import Runs
from srlib.training.recipe import Experiment

FAST, FIRST, ADAM = "fast", "first", "adam"
BLACK = 16  # of 255: luma in studio range has nothing below it
NONE = "–"
OPTIMISERS = {"muon": "Muon {lr:g}, AdamW {adam_lr:g}", "adam": "Adam {lr:g}", "sgd": "SGD {lr:g}"}
OUTCOMES = (SUPPORTED, UNDECIDED, CONTRADICTED, "not run")
Groups = dict[tuple[str, float, str], dict[str, list[Record]]]  # (experiment, budget, data) to recipe to records, a seed each


def _by_recipe(condition: Callable[[Record], bool]) -> Groups:
    """Finished trainings from scratch that meet a condition, by (experiment, budget, data), then by recipe."""
    groups: Groups = defaultdict(lambda: defaultdict(list))
    for record in find_records():
        info = record.info
        if info["kind"] == "training" and info.get("finished", True) and not info.get("ancestors") and condition(record):
            key = (info["experiment"], info["budget"], info["data"])
            groups[key][info["recipe"]["name"]].append(record)
    return groups


def _scale(record: Record) -> int:
    """The scale at which a network is compared: 3 if it was trained for it, else its first."""
    scales = record.info["recipe"]["scales"]
    return 3 if 3 in scales else scales[0]


def _set5(record: Record) -> float | None:
    """PSNR (dB) on Set5, under `drrn` where the network was scored so, else under its experiment's first protocol."""
    for protocol in ("drrn", get_experiment(record.info["experiment"]).protocols[0]):
        if (psnr := record.mean("Set5", _scale(record), "psnr", protocol)) is not None:
            return psnr
    return None


def _mean(values: Iterable[float | None]) -> float:
    """The mean of the values that are not `None`; NaN without any."""
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else math.nan


def _db(value: float, sign: str = "") -> str:
    return NONE if math.isnan(value) else f"{value:{sign}.2f}"


# The pixels that DRRN's first ReLU cuts off


def dark() -> str:
    """The luma below which narrow DRRNs and normalising VDSRs see nothing after training, and their scores, as Markdown.

    Recipe `first` starts the shift of the input's normalisation at 0, `fast` at 3.
    """
    lines = [
        {"experiment": experiment} | _both(get_experiment(experiment), recipes)
        for (experiment, _, _), recipes in _by_recipe(_normalises_input).items()
        if recipes.keys() & {FIRST, FAST}
    ]
    if not lines:
        return "No narrow DRRN has been trained yet."
    # The highest limit first; networks without a record of `first` last.
    lines.sort(key=lambda line: (-np.nan_to_num(line["first"], nan=-1), line["depth"], line["experiment"]))
    rows = (
        {
            "network": f"`{line['experiment']}`",
            "layers": line["depth"],
            "iterations": f"{line['iterations']:,}",
            "`first`: zero below luma": _luma(line["first"]),
            "`fast`: zero below luma": _luma(line["fast"]),
            "`first`: Set5 ×3 (dB), seeds": _scored(line, FIRST),
            "`fast`: Set5 ×3 (dB), seeds": _scored(line, FAST),
            "gain (dB)": _db(line["gain"], "+"),
        }
        for line in lines
    )
    frame = pd.DataFrame(lines)
    return f"{_lost(frame)}\n\n{table(rows)}\n\n{_gained(frame[frame.gain.notna()].sort_values('gain', kind='stable'))}"


def _normalises_input(record: Record) -> bool:
    """Whether a record is of a narrow network that begins with normalisation and ReLU on the image."""
    info = record.info
    return bool(width_of(info["experiment"])) and (info["model"] == "drrn" or info["arguments"].get("bn", False))


def _both(experiment: Experiment, recipes: dict[str, list[Record]]) -> dict[str, float]:
    """Depth and iterations; for each of the two recipes the limits (luma), PSNR (dB) and number of seeds; and the gain (dB)."""
    line = {"depth": meta_model(experiment.make).depth, "iterations": next(iter(recipes.values()))[0].info["iterations_done"]}
    for name in (FIRST, FAST):
        records = recipes.get(name, [])
        limits = [_limits(r.folder, r.info["weights_sha256"]) for r in records if (r.folder / "weights.safetensors").exists()]
        line |= {f"{name}_start": _mean(start for start, _ in limits), name: _mean(end for _, end in limits)}
        line |= {f"{name}_seeds": len(records), f"{name}_psnr": _mean(map(_set5, records))}
    return line | {"gain": line["fast_psnr"] - line["first_psnr"]}


@lru_cache(None)
def _limits(folder: Path, weights_sha256: str) -> tuple[float, float]:
    """Luma (0..1) below which the input becomes zero, before and after training; the hash makes new weights a new entry."""
    record = Record(folder)
    norm = next(module for module in record.model().modules() if isinstance(module, nn.BatchNorm2d))
    end = dark_below(norm)
    nn.init.ones_(norm.weight)
    nn.init.constant_(norm.bias, record.info["recipe"].get("first_shift", 0.0))  # records without it are older than it
    return dark_below(norm), end


def _scored(line: dict, recipe: str) -> str:
    psnr, seeds = line[f"{recipe}_psnr"], line[f"{recipe}_seeds"]
    return NONE if math.isnan(psnr) else f"{psnr:.2f}, {seeds}"


def _luma(limit: float) -> str:
    return NONE if math.isnan(limit) else f"{limit:.3f} ({255 * limit:.0f} of 255)"


def _lost(networks: pd.DataFrame) -> str:
    """The limits of luma before training, and the number of networks that lose pixels after it, in words."""
    text = [f"Black is {BLACK} of 255, so a network whose limit is at most that loses nothing."]
    for name in (FIRST, FAST):
        known = networks[networks[name].notna()]
        if known.empty:
            text.append(f"No network of recipe `{name}` is at hand.")
            continue
        blind = known[255 * known[name] > BLACK].sort_values(name)
        limits = [f"all below {_luma(row[name])} in `{row['experiment']}`" for _, row in blind.iterrows()]
        lost = f"{len(limits) or 'none'} of {len(known)} networks "
        if len(limits) > 1:
            lost += f"lose pixels, from {limits[0]} to {limits[-1]}."
        else:
            lost += ": ".join(["loses pixels", *limits]) + "."
        text.append(f"With `{name}` training starts at a limit of {_luma(known[f'{name}_start'].mean())}; at its end {lost}")
    return " ".join(text)


def _gained(networks: pd.DataFrame) -> str:
    """The largest, the smallest and the mean gains (dB), in words; `networks` are in the order of their gains."""
    if networks.empty:
        return "No network has been trained with both recipes at one budget yet, so there is no gain to name."
    least, most = networks.iloc[0], networks.iloc[-1]
    blind = networks.gain[255 * networks["first"] > BLACK]
    seeing = networks.gain[255 * networks["first"] <= BLACK]
    text = (
        f"Of {len(networks)} networks with both recipes, `{most.experiment}` gains most, {most.gain:+.2f} dB, and "
        f"`{least.experiment}` least, {least.gain:+.2f} dB."
    )
    if len(blind) and len(seeing):
        text += (
            f" Those that lost pixels ({len(blind)}) gain {blind.mean():+.2f} dB in the mean, those that lost none "
            f"({len(seeing)}) {seeing.mean():+.2f} dB."
        )
    return text


# Trials of recipes


def trials(paper: str = "") -> str:
    """PSNR (dB) of the recipes tried on narrow networks, of one paper or of all, as Markdown."""
    groups = _by_recipe(lambda record: paper in ("", record.folder.parts[-3]))
    # `first` and `fast` alone differ in several settings at once and choose nothing: DRRN's chapter lists them.
    groups = {key: recipes for key, recipes in groups.items() if len(recipes) > 1 and recipes.keys() - {FAST, FIRST}}
    if not groups:
        return "No two recipes have been tried on one network at equal budget yet."
    rows, leads = [], []
    for (experiment, _, _), recipes in groups.items():
        names = sorted(recipes, key=lambda name: (name != FAST, name != ADAM, name))
        for name in names:
            fast = recipes.get(FAST, []) if name != FAST else []
            records = _sharing_seeds(recipes[name], [fast] if fast else [recipes[other] for other in names if other != name])
            network = {"network": f"`{experiment}`" if name == names[0] else ""}
            rows.append(network | _settings(records[0]) | _reached(records, fast))
            if name == ADAM:
                leads.append(-_compare(records, fast)[0])
    text = (
        "The choice between recipes is by the PSNR on the validation pool, which is in no training set. Set5, a test set, is "
        f"shown for information and decides nothing.{_ahead([lead for lead in leads if not math.isnan(lead)])}"
    )
    note = (
        "*Pool* is the held-out PSNR after the last iteration; a network's runs have equally many iterations, of equally many "
        "pixels. Means are over the seeds named, differences over the seeds that both recipes have; *other seeds* marks a "
        "difference between recipes that share none."
    )
    return f"{text}\n\n{table(rows)}\n\n{note}"


def _ahead(leads: Sequence[float]) -> str:
    """The number of networks on which `fast` ends above `adam`, from the differences (dB), in words."""
    if len(leads) > 1:
        return (
            f" On the validation pool `fast` ends above `adam` on {sum(lead > 0 for lead in leads)} of {len(leads)} networks: "
            f"the differences are {min(leads):+.2f} to {max(leads):+.2f} dB."
        )
    return f" On the one network tried, `fast` minus `adam` is {leads[0]:+.2f} dB on the validation pool." if leads else ""


def _seed(record: Record) -> int:
    return record.info["seed"]


def _sharing_seeds(records: Sequence[Record], others: Iterable[Sequence[Record]]) -> list[Record]:
    """The records whose seed one of the other groups has, too, in the order of seeds; all, where none does."""
    seeds = {_seed(record) for group in others for record in group}
    records = sorted(records, key=_seed)
    return [record for record in records if _seed(record) in seeds] or records


def _settings(record: Record) -> dict[str, str]:
    """Table cells of a record's recipe; a setting that its record lacks was 0."""
    recipe = record.info["recipe"]
    shift = f", shift {recipe['first_shift']:g}" if recipe.get("first_shift") else ""
    return {
        "recipe": f"`{recipe['name']}`",
        "optimiser, rate": OPTIMISERS[recipe["optimiser"]].format_map(recipe) + shift,
        "patch": f"{recipe['patch']}, {record.info['precision']}",
    }


def _reached(records: Sequence[Record], fast: Sequence[Record]) -> dict[str, str]:
    """Table cells of the final PSNRs (dB) of some runs, and of their difference to those of `fast`."""
    difference, paired = _compare(records, fast)
    unpaired = "" if paired or math.isnan(difference) else ", other seeds"
    return {
        "seeds": ", ".join(str(_seed(record)) for record in records),
        "pool (dB)": _db(_mean(map(_validation, records))),
        "to `fast` (dB)": _db(difference, "+") + unpaired,
        "Set5 (dB)": f"{_db(_mean(map(_set5, records)))} (×{_scale(records[0])})",
    }


def _compare(records: Sequence[Record], fast: Sequence[Record]) -> tuple[float, bool]:
    """Validation PSNR minus that of `fast` (dB), and whether over common seeds; NaN where either has no PSNR."""
    psnrs, fast_psnrs = ({_seed(r): psnr for r in g if (psnr := _validation(r)) is not None} for g in (records, fast))
    if common := psnrs.keys() & fast_psnrs.keys():
        return float(np.mean([psnrs[seed] - fast_psnrs[seed] for seed in common])), True
    return _mean(psnrs.values()) - _mean(fast_psnrs.values()), False


def _validation(record: Record) -> float | None:
    """PSNR (dB) on the validation pool after the last iteration; `None` without a curve."""
    if not (record.folder / "curve.csv").exists() or record.curve.empty:
        return None
    return float(record.curve.psnr.iloc[-1])


# Claims whose outcome depends on the recipe


def changed(paper: str = "drrn") -> str:
    """The claims of order that runs with recipe `first` or `fast` contradict, with the outcomes of both, as Markdown.

    The same pairs of networks are compared at the same width and budget, so that nothing but the recipe differs.
    """
    first_runs, fast_runs = Runs((FIRST,)), Runs((FAST,))
    rows, outcomes = [], []
    for identifier in (c.id for c in claims(paper) if c.id in ORDERS and ORDERS[c.id].pairs):
        order = ORDERS[identifier]
        if not (old := deciding_evidence(order, first_runs)):
            continue
        form = partial(narrow_form, width=width_of(old.differences[0].better))
        pairs = differences(order.pairs, form, order.datasets, order.scales, metric=order.metric, source=fast_runs)
        lengths = {round(difference.training_fraction, 9) for difference in old.differences}
        new = [difference for difference in pairs if round(difference.training_fraction, 9) in lengths]
        outcomes.append((old.outcome, outcome(order, new, old.complete) if new else "not run"))
        if CONTRADICTED in outcomes[-1]:
            rows.append(
                {"the paper says": f"“{escape_markdown(claim(identifier).value)}” ({claim(identifier).where})"}
                | _columns(FIRST, old.differences, outcomes[-1][0], order.relation == ALIKE)
                | _columns(FAST, new, outcomes[-1][1], order.relation == ALIKE)
            )
    if not outcomes:
        return "No two networks have been trained with the recipe `first`."
    contrary = Counter(new for old, new in outcomes if old == CONTRADICTED)
    text = f"Runs with recipe `first` bear on {len(outcomes)} claims of order and contradict {contrary.total()}."
    if contrary.total():
        tally = ", ".join(f"{contrary[word]} {word}" for word in OUTCOMES if contrary[word])
        text += f" By the same pairs of networks, at the same width and budget, with recipe `fast` these are: {tally}."
    if turned := sum(old != CONTRADICTED == new for old, new in outcomes):
        text += f" {turned} more {'are' if turned > 1 else 'is'} contradicted with `fast` alone."
    return f"{text}\n\n{table(rows)}" if rows else text


def _columns(recipe: str, compared: Sequence[Difference], verdict: str, alike: bool) -> dict[str, str]:
    """Table cells of one recipe: the mean difference (dB), or the largest if the claim is "alike"; and the verdict."""
    mean = NONE
    if compared and alike:
        mean = f"{max(abs(difference.psnr) for difference in compared):.2f} apart at most"
    elif compared:
        psnr, half = mean_difference(compared)
        mean = f"{psnr:+.2f} ± {half:.2f}" if math.isfinite(half) else f"{psnr:+.2f}"
    return {f"`{recipe}` (dB)": mean, f"`{recipe}`: verdict": verdict}
