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
from dataclasses import dataclass, field
from pathlib import Path

from srlib.campaign import CPU_GROUPS, GROUPS, queue
from srlib.checkpoint import check_output
from srlib.datasets import at_hand
from srlib.errors import InputError
from srlib.flagships import next_cycle
from srlib.hardware import choose_device
from srlib.provenance import ROOT

LISTS = ("orders", "flagships")
SCORED = ("Set5", "Set14")  # what a finished run is scored on at once
LEAST = 3.0  # minutes: below that nothing new is begun
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

    @property
    def minutes(self) -> float:
        """What is left."""
        return (self.end - time.monotonic()) / 60


def work(
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
        Runs side by side; job k works off list k, in turn.
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
        After Ctrl-C or SIGTERM, when every run has saved its state.
    """
    _check(minutes, jobs, threads, lists, group)
    check_output(root / "logs" / "log")
    (root / "logs").mkdir(parents=True, exist_ok=True)
    shared = _Shared(Path(root), time.monotonic() + 60 * minutes, choose_device(device), group, report)
    names = [lists[k % len(lists)] for k in range(jobs)]
    workers = [threading.Thread(target=_job, args=(shared, k, threads, name)) for k, name in enumerate(names)]
    before = signal.signal(signal.SIGTERM, _interrupt) if threading.current_thread() is threading.main_thread() else None
    try:
        for worker in workers:
            worker.start()
        for worker in workers:
            while worker.is_alive():
                worker.join(0.5)
    except KeyboardInterrupt:
        shared.stopped = True
        for child in shared.children:
            child.terminate()
        for worker in workers:
            worker.join()
        raise KeyboardInterrupt(f"stopped; {root} holds everything, and the same command goes on.") from None
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)
    return shared.begun


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _job(shared: _Shared, number: int, threads: int, name: str) -> None:
    """One worker: pick, train, and again."""
    while not shared.stopped and shared.minutes > 0:
        with shared.picking:
            picked = _pick(shared, name)
            if picked is None or shared.stopped:
                return
            arguments, reason = picked
            shared.taken.add(" ".join(arguments))
            shared.training.add(arguments[0])
            shared.begun += 1
        shared.report(f"[{number + 1}] {' '.join(arguments)}: {reason}")
        began = time.monotonic()
        said = _train(shared, number, threads, arguments)
        shared.training.discard(arguments[0])
        shared.report(f"[{number + 1}] {arguments[0]}: {said} ({(time.monotonic() - began) / 60:.0f} min)")


def _pick(shared: _Shared, name: str) -> tuple[list[str], str] | None:
    """Arguments of the next run of a list, and what it is for."""
    if name == "flagships" and shared.group is None:
        cycle = next_cycle(shared.root, TRAINED * shared.minutes, shared.device, frozenset(shared.training))
        if cycle is None or " ".join(cycle.arguments) in shared.taken or (not cycle.begun and shared.minutes < LEAST):
            return None
        return list(cycle.arguments), cycle.reason
    groups = {group.name for group in CPU_GROUPS} if shared.group is None else {shared.group}
    for row in queue(shared.device, root=shared.root):
        arguments = row["command"].split()[4:]
        if row["group"] in groups and " ".join(arguments) not in shared.taken:
            return arguments, row["fills"]
    return None


def _train(shared: _Shared, number: int, threads: int, arguments: list[str]) -> str:
    """One process; returns the last line it said."""
    command = [sys.executable, "-m", "srlib", "train", *arguments, "--minutes", f"{max(0.0, shared.minutes):.2f}"]
    command += ["--device", shared.device, "--threads", str(threads), "--out", str(shared.root)]
    command += ["--score", *(name for name in SCORED if at_hand(name))]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))  # this checkout, whatever is installed
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    log = shared.root / "logs" / f"job{number + 1}.log"
    with log.open("ab") as file:
        file.write(f"$ {' '.join(command)}\n".encode())
        file.flush()
        start = file.tell()
        child = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL, env=environment)
        _lower(child.pid, number, threads)
        shared.children.append(child)
        if shared.stopped:
            child.terminate()
        child.wait()
        shared.children.remove(child)
    with log.open("rb") as file:
        file.seek(start)
        lines = [line.strip() for line in file.read().decode(errors="replace").replace("\r", "\n").splitlines()]
    return next((line for line in reversed(lines) if line), "said nothing") if child.returncode in (0, 2) else (
        f"ended with status {child.returncode}; see {log}"
    )  # fmt: skip


def _lower(pid: int, number: int, threads: int) -> None:
    """Give a process the lowest priority and cores of its own, where the system can."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, 19)
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            own = {cores[k % len(cores)] for k in range(number * threads, (number + 1) * threads)}
            os.sched_setaffinity(pid, own)
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
