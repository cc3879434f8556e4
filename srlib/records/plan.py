"""The campaign: its trainings, most valuable first, and the fraction of each that is done.

A group is a table or figure: all its runs have one budget, so that they can be compared. If half of the time comes, halve the
budget of a whole group rather than leave runs out.

The flagships are networks of the papers' own sizes, trained in cycles of one session each. A cycle is a whole training,
annealed to its end, and leaves a network with a record; the next one starts from its averaged weights. So the networks are
complete after each session, and better after the next.
"""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

from srlib.datasets import is_available
from srlib.errors import InputError
from srlib.papers import EXPERIMENTS, drn, drrn, dsrn, get_experiment, rlcsc
from srlib.papers.variants import STANDIN_SUFFIX
from srlib.records.record import Record, find_records, pixels_seen, record_folder
from srlib.training.checkpoint import load_tensors
from srlib.training.devices import choose_device


@dataclass(frozen=True)
class Group:
    """Runs that fill one table or figure."""

    name: str
    purpose: str
    experiments: tuple[str, ...]
    budget: float = 1.0
    seeds: tuple[int, ...] = (0,)
    keep: tuple[int, ...] = ()  # epochs whose weights become records of their own


GRID = tuple(f"drrn_b{B}u{U}" for B, U in drrn.GRID)
COMPONENTS = tuple(name for name in drrn.COMPONENTS if name != "vdsr_bn")
SWEEP = tuple(f"dsrn_t{T}_x2" for T in (1, 2, 3, 5, 7, 9))
RECURSIONS = ("rlcsc_k15_m128", "rlcsc_k15", "rlcsc_k20", "rlcsc_k25", "rlcsc_k48")
ABLATION = tuple(
    f"dsrn_div2k{variant}_x{scale}" for variant in ("", "_untied", "_no_feedback", "_single_state") for scale in (2, 3, 4)
)
DISTILLING = ("drn_x3_epoch100", "drn_plain_x3", "drn_plus_x3_epoch100")
DRN_REST = ("drn_x2", "drn_x4", "drn_plus_x3", "drn_plus_x2", "drn_plus_x4", "drn_mse_x3")
LAST_STATE = tuple(f"dsrn_last_state_x{scale}" for scale in (2, 3, 4))

GROUPS = (
    Group("drrn", "DRRN Tables 2 and 3, Figure 1: B1U9", ("drrn_b1u9",)),
    Group("drrn grid", "DRRN Figure 6, at equal budget", GRID, 0.25),
    Group("dsrn unrolling", "DSRN Figure 3, at equal budget", SWEEP, 0.5),
    Group("rlcsc recursions", "RL-CSC Figures 7 and 8, at equal budget", RECURSIONS, 0.33),
    Group("drn x3", "DRN Table 3, x3", ("drn_x3",)),
    Group("dsrn", "DSRN Table 1", ("dsrn_t7_x2", "dsrn_t7_x3", "dsrn_t7_x4")),
    Group("drrn components", "DRRN Table 4 and Figure 8, with the grid's B3U2, B3U3, B3U4", COMPONENTS, 0.25),
    Group("dsrn components", "DSRN Table 2", ABLATION, 0.375),
    Group("drn components", "DRN Table 2", DISTILLING),
    Group("rlcsc residual", "RL-CSC Table 3", ("rlcsc_k25_no_residual",), 0.05),
    Group("deep", "DRRN Tables 2 and 3: B1U25; RL-CSC Tables 1 and 2", ("drrn_b1u25", "rlcsc_k25", "rlcsc_k48")),
    Group("drn", "DRN Table 3, the rest, and its loss", DRN_REST),
    Group("baselines", "what all four papers compare with", ("vdsr", "vdsr_bn", "srcnn_955", "srcnn_915", "drcn")),
    Group("dsrn last state", "DSRN, Section 5.3: averaging or the last state", LAST_STATE, 0.5),
    Group("dsrn kernel", "DSRN at x4 with the text's kernels of 3", ("dsrn_kernel3_x4",), 0.5),
    Group("seeds", "spread: DRRN B1U9 again", ("drrn_b1u9",), seeds=(1, 2)),
    Group("grid seeds", "spread: Figure 6 again", GRID, 0.25, (1, 2)),
)
NARROW = tuple(paper.CPU_PROFILE.name for paper in (drrn, dsrn, rlcsc, drn))
PROFILE = Group("cpu profile", "every mechanism with real learning, on two CPU cores", NARROW)


def _narrow(name: str, purpose: str, experiments: Iterable[str], budget: float, keep: tuple[int, ...] = ()) -> Group:
    """A group of narrow forms, each with two seeds: one seed is one start and one order of patches."""
    return Group(name, purpose, tuple(f"{e.removesuffix('_w128')}_w16" for e in experiments), budget, (0, 1), keep)


def _ablation(scale: int) -> list[str]:
    """DSRN's Table 2 at one scale, and what averaging adds."""
    return [*(name for name in ABLATION if name.endswith(f"x{scale}")), f"dsrn_t7_x{scale}", f"dsrn_last_state_x{scale}"]


# The trainings that decide claims of order: all structures of a claim in their narrow form, at equal budgets, from scratch.
# Most take 2 to 15 minutes of one core.
ORDERS = (
    _narrow("drrn narrow grid", "DRRN Figure 6 with 16 filters", GRID, 0.15),
    _narrow("drrn narrow components", "DRRN Table 4 and Figure 8 with 16 filters", COMPONENTS, 0.15),
    # As many operations as B1U25 has in the grid: 52 layers against 20 and 8.
    _narrow("drrn narrow B1U9, longer", "DRRN's depth at equal compute", ["drrn_b1u9"], 0.415),
    _narrow("drrn narrow B1U3, longer", "DRRN's depth at equal compute", ["drrn_b1u3"], 1.23),
    _narrow("narrow baselines", "VDSR, with normalisation and without, and DRCN beside DRRN, with 16 filters",
            ["vdsr", "vdsr_bn", "drcn"], 0.15),
    _narrow("rlcsc narrow recursions", "RL-CSC Figures 7 and 8 with 16 filters",
            [name for name in RECURSIONS if name != "rlcsc_k25"], 0.15),
    _narrow("rlcsc narrow residual", "RL-CSC Table 3, and K = 25 of Figure 7, with 16 filters",
            ["rlcsc_k25", "rlcsc_k25_no_residual"], 0.15, keep=(1, 5, 10, 13)),
    _narrow("dsrn narrow unrolling", "DSRN Figure 3 with 16 filters", SWEEP, 0.25),
    _narrow("dsrn narrow components, x3", "DSRN Table 2 and Section 5.3 at x3", _ablation(3), 0.25),
    _narrow("drn narrow components", "DRN Table 2 and its loss, with 16 filters",
            [*DISTILLING, "drn_x3", "drn_mse_x3", "drn_plus_x3"], 0.1),
    _narrow("dsrn narrow components, x4", "DSRN Table 2 at x4, and kernels of 3 there",
            [*_ablation(4), "dsrn_kernel3_x4"], 0.25),
    _narrow("dsrn narrow components, x2", "DSRN Table 2 and Section 5.3 at x2",
            [name for name in _ablation(2) if name not in SWEEP], 0.25),
)  # fmt: skip
CPU_GROUPS = (*ORDERS, PROFILE)


@dataclass(frozen=True)
class Run:
    """One training of the campaign."""

    group: Group
    experiment: str
    seed: int

    def folder(self, root: Path | None = None) -> Path:
        """The folder of the run's record among those below `root` (default: the committed ones)."""
        return record_folder(get_experiment(self.experiment), self.seed, budget=self.group.budget, root=root)

    def progress(self, root: Path | None) -> tuple[float, bool]:
        """Fraction of the run's iterations that are done, 0 to 1, and whether its loss did not stay finite."""
        folder = self.folder(root)
        try:
            info = Record(folder).info
        except InputError:
            info = {}
        if info.get("finished"):
            return 1.0, False
        if "iterations_done" in info:
            return info["iterations_done"] / info["iterations"], "diverged" in info
        try:
            load_tensors(folder / "checkpoint.safetensors")  # killed before its first record
            return 0.001, "diverged" in info
        except InputError:
            return 0.0, "diverged" in info


def runs(gpu: bool = True) -> Iterator[Run]:
    """All runs, most valuable first, with those on DIV2K's stand-in; without a GPU those for a CPU come first."""
    for group in (*GROUPS, *CPU_GROUPS) if gpu else (*CPU_GROUPS, *GROUPS):
        for seed in group.seeds:
            for name in group.experiments:
                yield Run(group, name, seed)
                if name + STANDIN_SUFFIX in EXPERIMENTS:
                    yield Run(group, name + STANDIN_SUFFIX, seed)


def queue(device: str = "auto", all_runs: bool = False, root: Path | None = None) -> list[dict[str, Any]]:
    """The runs to train next, most valuable first.

    Parameters
    ----------
    device : str
        'cpu', 'cuda' or 'auto': on a CPU the runs for a CPU come first.
    all_runs : bool
        Whether to list finished runs, and runs whose data are not at hand, too.
    root : path, optional
        Folder of further records beside the committed ones.

    Returns
    -------
    list of dict
        `group, fills` (the group's purpose), `experiment, paper, recipe, budget, seed, iterations, done` (fraction), `state`
        ('done', 'started', 'next', 'diverged' or the missing data), `arguments` of `train`, `command`.
    """
    device = choose_device(device)
    available, rows = cache(is_available), []
    for run in runs(device == "cuda"):
        experiment, group = get_experiment(run.experiment), run.group
        progress = [run.progress(folder) for folder in {None, root}]
        done = max(fraction for fraction, _ in progress)
        state = "done" if done == 1 else "started" if done else "next"
        if any(diverged for _, diverged in progress):
            state = "diverged"
        elif done < 1 and not available(experiment.data):
            state = f"{experiment.data} is not at hand"
        if state not in ("started", "next") and not all_runs:
            continue
        arguments = [run.experiment]
        arguments += ["--budget", f"{group.budget:g}"] if group.budget != 1 else []
        arguments += ["--seed", str(run.seed)] if run.seed else []
        arguments += ["--keep", ",".join(map(str, group.keep))] if group.keep else []
        rows.append(
            {
                "group": group.name,
                "fills": group.purpose,
                "experiment": run.experiment,
                "paper": experiment.paper,
                "recipe": "fast",
                "budget": group.budget,
                "seed": run.seed,
                "iterations": max(1, round(group.budget * experiment.recipe("fast").iterations)),
                "done": round(done, 4),
                "state": state,
                "arguments": arguments,
                "command": f"python -m srlib train {' '.join(arguments)}",
            }
        )
    return rows


RECIPES = {"cpu": "core", "cuda": "fast"}  # of the flagships


@dataclass(frozen=True)
class Flagship:
    """A network of a paper's size that is trained in cycles."""

    experiment: str
    unrolled_from: str = ""  # the network of the same weights, less far unrolled, from whose latest record it starts
    as_long_as: str = ""  # for a baseline: the network whose number of training pixels, ancestors included, it gets


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
    """One training of a flagship: the arguments of `python -m srlib train`, and the reason for it."""

    arguments: tuple[str, ...]
    reason: str
    begun: bool  # whether it goes on from a checkpoint


def cycles(experiment: str, roots: tuple[Path | None, ...]) -> list[Record]:
    """Finished records of a network by the flagships' recipes, each once, in the order of the pixels seen."""
    records = {}
    for record in (record for root in roots for record in find_records(root)):
        info = record.info
        is_cycle = info["experiment"] == experiment and info.get("finished") and info["recipe"]["name"] in RECIPES.values()
        if is_cycle and (record.folder / "weights.safetensors").exists():
            records.setdefault(info["weights_sha256"], record)
    return sorted(records.values(), key=lambda record: pixels_seen(record.info))


def next_cycle(root: Path, minutes: float, device: str = "cpu", in_training: Set[str] = frozenset()) -> Cycle | None:
    """The cycle to train next: one that has begun, else one of the network that has had the fewest.

    Parameters
    ----------
    root : path
        Folder in which cycles are trained; the committed records count, too.
    minutes : float
        Length of a new cycle.
    device : str
        'cpu' or 'cuda'; it decides the recipe.
    in_training : set of str
        Experiments that other jobs are training, to leave out.

    Returns
    -------
    Cycle or None
        `None` if no flagship can be trained.
    """
    roots, recipe = (None, root), RECIPES[device]
    free = [f for f in FLAGSHIPS if f.experiment not in in_training and is_available(get_experiment(f.experiment).data)]
    fewest_first = sorted(free, key=lambda f: len(cycles(f.experiment, roots)) + _diverged(f.experiment, roots))
    begun = chain.from_iterable(_begun(flagship, recipe, root, roots) for flagship in free)
    new = (_new(flagship, roots, minutes, recipe) for flagship in fewest_first)
    return next(filter(None, chain(begun, new)), None)


def _diverged(experiment: str, roots: tuple[Path | None, ...]) -> int:
    """Number of cycles of a network that diverged; they count as cycles, so that the other flagships are trained, too."""
    records = {record.folder: record for root in roots for record in find_records(root)}
    return sum(record.info["experiment"] == experiment and "diverged" in record.info for record in records.values())


def _new(flagship: Flagship, roots: tuple[Path | None, ...], minutes: float, recipe: str) -> Cycle | None:
    """The next cycle of a flagship; `None` if the network that it starts from, or is as long as, has no record yet."""
    finished = cycles(flagship.experiment, roots) or cycles(flagship.unrolled_from, roots)
    arguments = (flagship.experiment, "--recipe", recipe)
    if flagship.as_long_as:
        example = cycles(flagship.as_long_as, roots)
        if not example or (finished and pixels_seen(finished[-1].info) >= 0.99 * pixels_seen(example[-1].info)):
            return None  # nothing to be as long as, or it is as long already
        settings = get_experiment(flagship.experiment).recipe(recipe)
        budget = pixels_seen(example[-1].info) / (settings.iterations * settings.batch * settings.patch**2)
        return Cycle((*arguments, "--budget", f"{budget:.3g}"), f"as many pixels as {flagship.as_long_as}", False)
    if flagship.unrolled_from and not finished:
        return None
    start = ("--start-from", str(finished[-1].folder)) if finished else ()
    parent = f", from {finished[-1].info['experiment']}" if finished else ""
    reason = f"cycle {len(finished) + 1}{parent}, {int(minutes)} minutes"
    return Cycle((*arguments, "--fit", str(int(minutes)), *start), reason, False)


def _begun(flagship: Flagship, recipe: str, root: Path, roots: tuple[Path | None, ...]) -> Iterator[Cycle]:
    """Interrupted cycles of a network; checkpoints of other trainings, and damaged ones, are left alone."""
    experiment = get_experiment(flagship.experiment)
    for path in sorted(record_folder(experiment, 0, root=root).parent.glob("seed*/checkpoint.safetensors")):
        try:
            config = load_tensors(path)[1]["config"]
            info = Record(path.parent).info if (path.parent / "record.json").exists() else {}
        except (InputError, KeyError):
            continue
        if info.get("finished") or "diverged" in info:
            continue
        if "lr_sha256" in config or config["recipe"]["name"] != recipe or not ("fit" in config or flagship.as_long_as):
            continue  # a user's own training
        arguments = [experiment.name, "--recipe", recipe, "--seed", str(config["seed"])]
        arguments += ["--fit", f"{config['fit']:g}"] if "fit" in config else ["--budget", f"{config['budget']:g}"]
        if ancestors := config.get("ancestors"):
            sha256 = ancestors[-1]["weights_sha256"]
            parents = (r for r in cycles(ancestors[-1]["experiment"], roots) if r.info["weights_sha256"] == sha256)
            parent = next(parents, None)
            if parent is None:
                continue  # it is on another machine
            arguments += ["--start-from", str(parent.folder)]
        yield Cycle(tuple(arguments), "goes on", True)
