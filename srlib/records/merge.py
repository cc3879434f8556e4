"""Merging records from another machine: each is checked, and never overwrites one with more training."""

import json
import re
from pathlib import Path

from srlib.errors import InputError
from srlib.files import write_atomically
from srlib.papers import get_experiment
from srlib.protocol import METRICS
from srlib.records.record import Record, join_scores, record_folder, write_scores
from srlib.training.checkpoint import load_tensors


def merge(source: Path, failures: list[str] | None = None) -> list[str]:
    """Merge every record below a folder into the committed ones.

    Parameters
    ----------
    source : path
        Holds records at any depth, each a folder with `record.json`.
    failures : list, optional
        Takes a sentence for each record that is damaged, or disagrees with a finished one. Without it the first is raised,
        after the others are merged.

    Returns
    -------
    list of str
        The outcome for each record, a sentence each.

    Raises
    ------
    InputError
        If there is no record; and see `failures`.
    """
    folders = sorted(path.parent for path in Path(source).rglob("record.json"))
    if not folders:
        raise InputError(f"{source} holds no record.json: give the folder that came back from training.")
    outcomes, faults = [], []
    for folder in folders:
        try:
            outcomes.append(_take(Record(folder)))
        except InputError as error:
            faults.append(str(error))
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # of values that no record of ours has
            faults.append(f"{folder / 'record.json'} is damaged ({error!r}): bring it back from where it was made.")
    if faults and failures is None:
        raise InputError(faults[0])
    if failures is not None:
        failures += faults
    return outcomes


def _take(record: Record) -> str:
    info = record.info
    if info.get("kind") != "training":
        return f"{record.folder}: not of a training, left out"
    if "lr" in info:
        return f"{record.folder}: trained on given LR images, no evidence for a paper, left out"
    if "diverged" in info:
        return f"{record.folder}: diverged, left out: {info['diverged']}"
    _check(record)
    line = {"fit": info.get("fit"), "ancestors": info.get("ancestors", ())}
    target = record_folder(get_experiment(info["experiment"]), info["seed"], info["recipe"]["name"], info["budget"], **line)
    names = str(info["seed"]), info["recipe"]["name"]  # they make a path
    if not all(re.fullmatch(r"\w+", name) for name in names) or type(info["seed"]) is not int or info["seed"] < 0:
        raise InputError(f"{record.folder / 'record.json'} has an odd seed or recipe {names}: it is no record of ours.")
    if target.resolve() == record.folder.resolve():
        return f"{target}: already here"
    if (target / "record.json").exists() and "diverged" not in (existing := Record(target).info):
        if existing["weights_sha256"] == info["weights_sha256"]:
            return _add_scores(record, Record(target))
        if existing["finished"] and info["finished"]:
            raise InputError(f"{target} holds another finished run than {record.folder}: move one of them away.")
        if existing["finished"] or existing["iterations_done"] >= info["iterations_done"]:
            return f"{target}: kept, it is as far ({existing['iterations_done']} iterations) or farther"
    tensors = [path.name for path in record.folder.glob("*.safetensors")]  # snapshots of epochs among them, while a run goes on
    for name in ("curve.csv", "scores.csv", *tensors, "record.json"):  # the last vouches for the others
        if (record.folder / name).exists():
            write_atomically(target / name, (record.folder / name).read_bytes())
    state = "finished" if info["finished"] else f"{info['iterations_done']} of {info['iterations']} iterations"
    return f"{target}: taken in ({state})"


def _check(record: Record) -> None:
    _ = record.means  # of scores that are damaged there are none
    if (record.folder / "weights.safetensors").exists():
        record.model()
    elif record.info["finished"] and not (record.folder / "scores.csv").exists():
        raise InputError(f"{record.folder} has neither weights nor scores: bring weights.safetensors back, too.")
    if not record.info["finished"]:
        load_tensors(record.folder / "checkpoint.safetensors")  # the run cannot go on without it


def _add_scores(record: Record, target: Record) -> str:
    """Add the scores of the same run, but not of a folder that held other pictures where they were made."""
    ours, theirs = (r.info.get("scored", {}) for r in (target, record))
    other = [name for name, sha256 in theirs.items() if name in ours and ours[name] != sha256]
    joined = join_scores(target.scores, record.scores[~record.scores.dataset.isin(other)])
    added = sum(int(joined[metric].count() - target.scores[metric].count()) for metric in METRICS)
    if added:
        write_scores(target.folder, joined)
        if theirs:
            write_atomically(
                target.folder / "record.json", json.dumps(target.info | {"scored": theirs | ours}, indent=1) + "\n"
            )
    left = f"; those of {', '.join(other)} are of other pictures, left out" if other else ""
    return f"{target.folder}: the same run, {added} scores added{left}"
