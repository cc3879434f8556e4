"""Training in the background: several runs side by side, each on its own cores, at the lowest priority.

Each run is a process of its own, `python -m srlib train`, so one that fails or is killed harms no other, and its checkpoint
is resumed the next time. There are two lists: `orders`, the runs that decide claims of order, and `flagships`.
"""

import math
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
from srlib.training.loop import LONGEST_FIT
from srlib.training.recipe import EVIDENCE

LISTS = ("orders", "flagships")
TEST_SETS = ("Set5", "Set14")  # on which a finished run is scored at once
MOST = 256  # threads, and runs side by side
SHORTEST_RUN = 1.0  # minutes below which no further run is begun
SHORTEST_CYCLE = 20.0  # minutes below which no cycle of a flagship is begun
CYCLE_FRACTION = 0.85  # fraction of the time left that a cycle trains: it is validated and scored, too


@dataclass
class _Shared:
    """The state that the jobs of one `run_queue` share."""

    root: Path
    end: float
    device: str
    group: str | None
    report: Callable[[str], None]
    test_sets: tuple[str, ...]  # on which finished runs are scored
    lock: threading.Lock = field(default_factory=threading.Lock)
    commands: set[str] = field(default_factory=set)  # started in this session: each is tried once
    in_training: set[str] = field(default_factory=set)  # experiments
    children: list[subprocess.Popen] = field(default_factory=list)
    stopped: bool = False
    runs: int = 0

    @property
    def minutes(self) -> float:
        """Minutes left."""
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
    """Train runs of the lists, most valuable first, until the minutes are spent; an unfinished run goes on the next time.

    Parameters
    ----------
    minutes : float
        Time for everything, above 0 and finite.
    root : path
        Folder for records, checkpoints and, in `logs`, the output of each run. Finished records are ready for `merge`.
    jobs : int
        Number of runs side by side, up to 256. Their first list alternates; one whose list is empty goes on with the next.
    threads : int
        Number of threads of each run, up to 256, on cores of its own.
    lists : sequence of str
        'orders', 'flagships' or both.
    device : str
        'cpu', 'cuda' or 'auto'.
    group : str, optional
        The name of one group of the queue, to train that alone, from whichever list.
    report : callable
        Called with a line of text when a run begins and when it ends.

    Returns
    -------
    int
        Number of runs that were started.

    Raises
    ------
    InputError
        If an option is out of its range or unknown.
    KeyboardInterrupt
        After Ctrl-C, SIGTERM or SIGHUP, when every run has saved its state.
    """
    names = [g.name for g in (*GROUPS, *CPU_GROUPS)]
    if not 0 < minutes < math.inf:
        raise InputError(f"minutes {minutes} is no time to work: give more than 0, and an end.")
    if not (1 <= jobs <= MOST and 1 <= threads <= MOST):
        raise InputError(f"{jobs} jobs of {threads} threads are out of range: give 1 to {MOST} of each.")
    if not lists or not set(lists) <= set(LISTS):
        raise InputError(f"List {', '.join(lists)!r} is unknown: choose of {', '.join(LISTS)}.")
    if group not in (None, *names):
        raise InputError(f"Group {group!r} is unknown: choose one of {', '.join(names)}.")
    check_output(root / "logs" / "log").parent.mkdir(parents=True, exist_ok=True)
    test_sets = tuple(filter(is_available, TEST_SETS))
    shared = _Shared(root, time.monotonic() + 60 * minutes, choose_device(device), group, report, test_sets)
    previous_handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
                previous_handlers[number] = signal.signal(number, signal.default_int_handler)
    try:
        with ThreadPoolExecutor(jobs) as pool:
            workers = [pool.submit(_job, shared, k, threads, lists) for k in range(jobs)]
            try:
                wait(workers)
            except KeyboardInterrupt:
                shared.stopped = True
                for child in list(shared.children):
                    child.terminate()
                wait(workers)
                raise KeyboardInterrupt(f"stopped; {root} holds everything, and the same command goes on.") from None
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)
    for worker in workers:
        worker.result()  # raises a job's exception
    return shared.runs


def _job(shared: _Shared, number: int, threads: int, lists: Sequence[str]) -> None:
    """One worker: pick a run from its first list, or else from the next ones, train it, and repeat."""
    first = number % len(lists)
    lists = (*lists[first:], *lists[:first])
    while not shared.stopped and shared.minutes > 0:
        with shared.lock:
            job = next(filter(None, (_pick(shared, name) for name in lists)), None)
            if job is None or shared.stopped:
                return
            command, reason = job
            shared.commands.add(" ".join(command))
            shared.in_training.add(command[1])
            shared.runs += 1
        shared.report(f"[{number + 1}] {' '.join(command)}: {reason}")
        start = time.monotonic()
        status, last_line = _run(shared, number, threads, command)
        if status == 0:  # a failed experiment is not tried again in this session
            shared.in_training.discard(command[1])
        shared.report(f"[{number + 1}] {command[1]}: {last_line} ({(time.monotonic() - start) / 60:.0f} min)")


def _pick(shared: _Shared, name: str) -> tuple[list[str], str] | None:
    """The arguments of the next run of a list, and the reason for it; `None` if the list is empty."""
    for record in find_records(shared.root) if shared.test_sets else ():  # stopped during scoring
        command = ["score", str(record.folder), "--data", *shared.test_sets]
        free = record.info["experiment"] not in shared.in_training and " ".join(command) not in shared.commands
        if free and _unscored(record, shared.test_sets):
            return command, "not scored yet"
    if name == "flagships" and shared.group is None:
        minutes = min(CYCLE_FRACTION * shared.minutes, LONGEST_FIT)
        cycle = next_cycle(shared.root, minutes, shared.device, shared.in_training)
        if cycle is None or (not cycle.begun and minutes < SHORTEST_CYCLE):
            return None
        return ["train", *cycle.arguments], cycle.reason
    groups = {group.name for group in CPU_GROUPS} if shared.group is None else {shared.group}
    for row in queue(shared.device, root=shared.root):
        command = ["train", *row["arguments"]]
        ready = row["state"] == "started" or shared.minutes >= SHORTEST_RUN or not shared.runs
        if row["group"] in groups and ready and " ".join(command) not in shared.commands:
            return command, row["fills"]
    return None


def _unscored(record: Record, sets: Sequence[str]) -> bool:
    """Whether a finished training, trials of recipes apart, lacks its scores on one of the sets."""
    info = record.info
    if not info.get("finished") or info["kind"] != "training" or info["recipe"]["name"] not in EVIDENCE:
        return False
    protocols, scales = get_experiment(info["experiment"]).protocols, info["recipe"]["scales"]
    return any(record.mean(*cell, "psnr", protocol) is None for cell in product(sets, scales) for protocol in protocols)


def _run(shared: _Shared, number: int, threads: int, arguments: list[str]) -> tuple[int, str]:
    """Run one process; returns its exit status and the last line of its output."""
    command = [sys.executable, "-m", "srlib", *arguments]
    if arguments[0] == "train":
        command += ["--minutes", f"{max(0.0, shared.minutes):.2f}", "--device", shared.device, "--threads", str(threads)]
        command += ["--out", str(shared.root), "--score", *shared.test_sets]
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))  # this checkout, whatever is installed
    environment = os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    log = shared.root / "logs" / f"job{number + 1}.log"
    with log.open("a+b") as file:
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
        file.seek(start)
        output = file.read().decode(errors="replace").replace("\r", "\n")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if status not in (0, 2):  # 2: refused, with a message
        return status, f"ended with status {status}; see {log}"
    return status, lines[-1] if lines else "said nothing"


def _lower(pid: int, number: int, threads: int) -> None:
    """Give a process the lowest priority and cores of its own, where the system can."""
    try:
        os.setpriority(os.PRIO_PROCESS, pid, 19)
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(pid, {cores[k % len(cores)] for k in range(number * threads, (number + 1) * threads)})
        # Linux balances sessions against each other, and priorities only within one: so each run is a session of its own.
        Path(f"/proc/{pid}/autogroup").write_text("19")
    except (OSError, AttributeError):
        pass  # it has ended already, or may not
