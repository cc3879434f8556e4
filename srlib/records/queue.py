"""Training in the background of everything: several runs side by side, each on its own cores, at the lowest priority.

Each run is a process of its own, `python -m srlib train`, so one that fails or is killed takes nothing with it; what it wrote
is picked up the next time. Two lists are worked off: `orders`, what decides claims of order, and `flagships`.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from srlib.datasets import is_available
from srlib.errors import InputError
from srlib.files import check_output
from srlib.papers import get_experiment
from srlib.records.plan import CPU_GROUPS, GROUPS, next_cycle, queue
from srlib.records.provenance import ROOT
from srlib.records.record import Record, find_records
from srlib.training.devices import choose_device
from srlib.training.recipe import EVIDENCE

LISTS = ("orders", "flagships")
SCORED = ("Set5", "Set14")  # what a finished run is scored on at once
LEAST = 1.0  # minutes: below that no further run is begun
CYCLE = 20.0  # minutes: a cycle of a network of a paper's size shorter than that is not worth its place in the line
TRAINED = 0.85  # share of the time left that a cycle is planned for: it is validated and scored, too


@dataclass
class _Shared:
    """What the jobs of one `work` have in common."""

    root: Path
    end: float
    device: str
    group: str | None
    report: Callable[[str], None]
    picking: threading.Lock = field(default_factory=threading.Lock)
    taken: set[str] = field(default_factory=set)  # runs begun in this session: each is tried once
    training: set[str] = field(default_factory=set)  # flagships at work
    children: list[subprocess.Popen] = field(default_factory=list)
    stopped: bool = False
    begun: int = 0
    scored: tuple[str, ...] = ()  # sets that finished runs are scored on

    @property
    def minutes(self) -> float:
        """What is left."""
        return (self.end - time.monotonic()) / 60


def run_queue(
    minutes: float,
    root: Path,
    *,
    jobs: int = 1,
    threads: int = 1,
    lists: Sequence[str] = LISTS,
    device: str = "auto",
    group: str | None = None,
    report: Callable[[str], None] = print,
) -> int:
    """Train from the top of the lists until the minutes are spent; what is unfinished goes on the next time.

    Parameters
    ----------
    minutes : float
        For everything, above 0.
    root : path
        Receives records, checkpoints and, in `logs`, what each run says. Finished ones are ready for `merge`.
    jobs : int
        Runs side by side; the lists take turns to be a job's first, and a job whose list is empty helps with the next.
    threads : int
        Of each run, on cores of its own.
    lists : sequence of str
        'orders', 'flagships' or both.
    device : str
        'cpu', 'cuda' or 'auto'.
    group : str, optional
        The name of one group of the queue, to train only that, whatever list it stands in.
    report : callable
        Is given a line as each run begins and ends.

    Returns
    -------
    int
        How many runs were worked on.

    Raises
    ------
    InputError
        If an option is of no use.
    KeyboardInterrupt
        After Ctrl-C, SIGTERM or SIGHUP, when every run has saved its state.
    """
    _check(minutes, jobs, threads, lists, group)
    check_output(root / "logs" / "log")
    (root / "logs").mkdir(parents=True, exist_ok=True)
    shared = _Shared(Path(root), time.monotonic() + 60 * minutes, choose_device(device), group, report)
    shared.scored = tuple(filter(is_available, SCORED))
    turns = [(*lists[k % len(lists) :], *lists[: k % len(lists)]) for k in range(jobs)]

    before = {}
    if threading.current_thread() is threading.main_thread():
        ends = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
        ends = [number for number in ends if signal.getsignal(number) != signal.SIG_IGN]  # nohup ignores SIGHUP
        before = {number: signal.signal(number, _interrupt) for number in ends}
    try:
        with ThreadPoolExecutor(jobs) as pool:
            workers = [pool.submit(_job, shared, k, threads, turns[k]) for k in range(jobs)]
            try:
                wait(workers)
            except KeyboardInterrupt:
                shared.stopped = True
                for child in list(shared.children):
                    child.terminate()
                wait(workers)
                raise KeyboardInterrupt(f"stopped; {root} holds everything, and the same command goes on.") from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for worker in workers:
        worker.result()  # raises what a job failed of
    return shared.begun


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _job(shared: _Shared, number: int, threads: int, lists: Sequence[str]) -> None:
    """One worker: pick from its list, else from the next ones, train, and again."""
    while not shared.stopped and shared.minutes > 0:
        with shared.picking:
            picked = next(filter(None, (_pick(shared, name) for name in lists)), None)
            if picked is None or shared.stopped:
                return
            command, reason = picked
            shared.taken.add(" ".join(command))
            shared.training.add(command[1])
            shared.begun += 1
        shared.report(f"[{number + 1}] {' '.join(command)}: {reason}")
        began = time.monotonic()
        status, said = _run(shared, number, threads, command)
        if status == 0:  # what failed is not tried again in this session
            shared.training.discard(command[1])
        shared.report(f"[{number + 1}] {command[1]}: {said} ({(time.monotonic() - began) / 60:.0f} min)")


def _pick(shared: _Shared, name: str) -> tuple[list[str], str] | None:
    """The command of the next run of a list, and what it is for."""
    for record in find_records(shared.root) if shared.scored else ():  # stopped while it was scored
        command = ["score", str(record.folder), "--data", *shared.scored]
        free = record.info["experiment"] not in shared.training and " ".join(command) not in shared.taken
        if free and _unscored(record, shared.scored):
            return command, "not scored yet"
    if name == "flagships" and shared.group is None:
        cycle = next_cycle(shared.root, TRAINED * shared.minutes, shared.device, frozenset(shared.training))
        if cycle is None or (not cycle.begun and TRAINED * shared.minutes < CYCLE):
            return None
        return ["train", *cycle.arguments], cycle.reason
    groups = {group.name for group in CPU_GROUPS} if shared.group is None else {shared.group}
    for row in queue(shared.device, root=shared.root):
        command = ["train", *row["arguments"]]
        ready = row["state"] == "started" or shared.minutes >= LEAST or not shared.begun
        if row["group"] in groups and ready and " ".join(command) not in shared.taken:
            return command, row["fills"]
    return None


def _unscored(record: Record, sets: Sequence[str]) -> bool:
    """Whether a finished training, no trial of a recipe, has no scores on one of the sets."""
    info = record.info
    if not info.get("finished") or info["kind"] != "training" or info["recipe"]["name"] not in EVIDENCE:
        return False
    protocols, scales = get_experiment(info["experiment"]).protocols, info["recipe"]["scales"]
    return any(record.mean(*where, "psnr", protocol) is None for where in product(sets, scales) for protocol in protocols)


def _run(shared: _Shared, number: int, threads: int, arguments: list[str]) -> tuple[int, str]:
    """One process; returns its exit status and the last line it said."""
    command = [sys.executable, "-m", "srlib", *arguments]
    if arguments[0] == "train":
        command += ["--minutes", f"{max(0.0, shared.minutes):.2f}", "--device", shared.device, "--threads", str(threads)]
        command += ["--out", str(shared.root), "--score", *shared.scored]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))  # this checkout, whatever is installed
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    log = shared.root / "logs" / f"job{number + 1}.log"
    with log.open("ab") as file:
        file.write(f"$ {' '.join(command)}\n".encode())
        file.flush()
        start = file.tell()
        streams = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": file}
        child = subprocess.Popen(command, **streams, env=environment, start_new_session=True)
        _lower(child.pid, number, threads)
        shared.children.append(child)
        if shared.stopped:
            child.terminate()
        status = child.wait()
        shared.children.remove(child)
    with log.open("rb") as file:
        file.seek(start)
        said = file.read().decode(errors="replace").replace("\r", "\n")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if status not in (0, 2):  # neither well nor refused in a sentence
        return status, f"ended with status {status}; see {log}"
    return status, lines[-1] if lines else "said nothing"


def _lower(pid: int, number: int, threads: int) -> None:
    """Give a process the lowest priority and cores of its own, where the system can."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, 19)
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            own = {cores[k % len(cores)] for k in range(number * threads, (number + 1) * threads)}
            os.sched_setaffinity(pid, own)
        # Linux weighs whole sessions against each other, and priorities within one alone: so each run is a session of its own.
        Path(f"/proc/{pid}/autogroup").write_text("19")
    except (OSError, AttributeError):
        pass  # it has ended already, or may not


def _check(minutes: float, jobs: int, threads: int, lists: Sequence[str], group: str | None) -> None:
    names = [g.name for g in (*GROUPS, *CPU_GROUPS)]
    if not minutes > 0:
        raise InputError(f"minutes {minutes} is no time to work: give more than 0.")
    if jobs < 1 or threads < 1:
        raise InputError(f"{jobs} jobs of {threads} threads are none: give 1 or more of each.")
    if not lists or not set(lists) <= set(LISTS):
        raise InputError(f"List {', '.join(lists)!r} is unknown: choose of {', '.join(LISTS)}.")
    if group is not None and group not in names:
        raise InputError(f"Group {group!r} is unknown: choose one of {', '.join(names)}.")
