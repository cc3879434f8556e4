"""The flagships: networks of the papers' own sizes, trained in cycles of one session each.

A cycle is a whole training, annealed to its end, and leaves a network with a record; the next one starts from its averaged
weights. So the networks are complete after each session, and better after the next.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from srlib.datasets import is_available
from srlib.errors import InputError
from srlib.papers import get_experiment
from srlib.records.record import Record, find_records, pixels_seen, record_folder
from srlib.training.checkpoint import load_tensors

RECIPES = {"cpu": "core", "cuda": "fast"}


@dataclass(frozen=True)
class Flagship:
    """One network of a paper's size."""

    experiment: str
    unrolled_from: str = ""  # the network of the same weights, less far unrolled, from whose latest record it starts
    as_long_as: str = ""  # a baseline sees as many pixels as this network's line has


# By what a reader gains: networks at low resolution learn fastest; baselines on equal terms come when there is what to compare.
FLAGSHIPS = (
    Flagship("dsrn_t7_x3"),
    Flagship("drrn_b1u9"),
    Flagship("dsrn_t7_x2"),
    Flagship("dsrn_t7_x4"),
    Flagship("drn_x3_standin"),
    Flagship("rlcsc_k25"),
    Flagship("drrn_b1u25", unrolled_from="drrn_b1u9"),
    Flagship("vdsr", as_long_as="drrn_b1u9"),
    Flagship("srcnn_955", as_long_as="drrn_b1u9"),  # no paper prints a score of 9-1-5
)


@dataclass(frozen=True)
class Cycle:
    """What is to be trained next: the arguments of `python -m srlib train`, and why."""

    arguments: tuple[str, ...]
    reason: str
    begun: bool  # a checkpoint waits


def cycles(experiment: str, roots: tuple[Path | None, ...]) -> list[Record]:
    """Finished records of a network's recipes for flagships, those of the longest lines last; each once."""
    found = {}
    for record in (record for root in roots for record in find_records(root)):
        info = record.info
        wanted = info["experiment"] == experiment and info.get("finished") and info["recipe"]["name"] in RECIPES.values()
        if wanted and (record.folder / "weights.safetensors").exists():
            found.setdefault(info["weights_sha256"], record)
    return sorted(found.values(), key=lambda record: pixels_seen(record.info))


def next_cycle(root: Path, minutes: float, device: str = "cpu", taken: set[str] = frozenset()) -> Cycle | None:
    """The cycle to train in the minutes that are left: one that has begun, else of the network that has had the fewest.

    Parameters
    ----------
    root : path
        Where cycles are trained; the committed records count, too.
    minutes : float
        For a new cycle.
    device : str
        'cpu' or 'cuda', for the recipe.
    taken : set of str
        Experiments that others train at the moment.
    """
    roots = (None, root)
    free = [f for f in FLAGSHIPS if f.experiment not in taken and is_available(get_experiment(f.experiment).data)]
    for flagship in free:
        for begun in _begun(flagship, RECIPES[device], root, roots):
            return begun
    for flagship in sorted(free, key=lambda f: len(cycles(f.experiment, roots)) + _diverged(f.experiment, roots)):
        if cycle := _new(flagship, roots, minutes, RECIPES[device]):
            return cycle
    return None


def _diverged(experiment: str, roots: tuple[Path | None, ...]) -> int:
    """How many cycles of a network diverged: they count, so that the others have their turn."""
    found = {record.folder for root in roots for record in find_records(root) if record.info["experiment"] == experiment}
    return sum("diverged" in Record(folder).info for folder in found)


def _new(flagship: Flagship, roots: tuple[Path | None, ...], minutes: float, recipe: str) -> Cycle | None:
    name, done = flagship.experiment, cycles(flagship.experiment, roots)
    arguments = [name, "--recipe", recipe]
    if flagship.as_long_as:
        example = cycles(flagship.as_long_as, roots)
        how = get_experiment(name).recipe(recipe)
        if not example or (done and pixels_seen(done[-1].info) >= 0.99 * pixels_seen(example[-1].info)):
            return None  # nothing to be as long as, or it is as long already
        budget = pixels_seen(example[-1].info) / (how.iterations * how.batch * how.patch**2)
        return Cycle((*arguments, "--budget", f"{budget:.3g}"), f"as many pixels as {flagship.as_long_as}", False)
    if not done and flagship.unrolled_from:
        done = cycles(flagship.unrolled_from, roots)
        if not done:
            return None
    start = ("--start-from", str(done[-1].folder)) if done else ()
    reason = f"cycle {len(done) + 1}" + (f", from {done[-1].info['experiment']}" if done else "") + f", {int(minutes)} minutes"
    return Cycle((*arguments, "--fit", str(int(minutes)), *start), reason, False)


def _begun(flagship: Flagship, recipe: str, root: Path, roots: tuple[Path | None, ...]) -> Iterator[Cycle]:
    """Cycles of a network that were stopped; what is no cycle, or damaged, is left alone."""
    experiment = get_experiment(flagship.experiment)
    for path in sorted(record_folder(experiment, 0, root=root).parent.glob("seed*/checkpoint.safetensors")):
        try:
            config = load_tensors(path)[1]["config"]
            info = Record(path.parent).info if (path.parent / "record.json").exists() else {}
        except (InputError, KeyError):
            continue
        if info.get("finished") or "diverged" in info:
            continue
        if config["recipe"]["name"] != recipe or not ("fit" in config or flagship.as_long_as):
            continue  # somebody's own training
        arguments = [experiment.name, "--recipe", config["recipe"]["name"], "--seed", str(config["seed"])]
        arguments += ["--fit", f"{config['fit']:g}"] if "fit" in config else ["--budget", f"{config['budget']:g}"]
        if config.get("ancestors"):
            names = {a["experiment"] for a in config["ancestors"]}
            parents = {r.info["weights_sha256"]: r for name in names for r in cycles(name, roots)}
            parent = parents.get(config["ancestors"][-1]["weights_sha256"])
            if parent is None:
                continue  # on another machine
            arguments += ["--start-from", str(parent.folder)]
        yield Cycle(tuple(arguments), "goes on", True)
