"""The methods that the explorer offers: bicubic interpolation, the released VDSR, and the networks with a record."""

from srlib.papers import EXPERIMENTS
from srlib.records.methods import find_method
from srlib.records.record import find_record, find_records, training_fraction

NAMES = {"bicubic": "Bicubic", "vdsr_official": "VDSR (released)"}  # labels of the methods that are not experiments of ours
QUEUE = "no record yet: `python -m srlib queue` says how to train one"


def available_methods(scale: int) -> list[str]:
    """Names of the methods of a scale: bicubic, the released VDSR, and the experiments whose record has weights."""
    names = dict.fromkeys(r.folder.parts[-2] for r in find_records() if (r.folder / "weights.safetensors").exists())
    trained = [name for name in names if scale in find_record(name).info.get("recipe", {}).get("scales", ())]
    released = [] if isinstance(find_method("VDSR", "vdsr_official", scale), str) else ["vdsr_official"]
    return ["bicubic", *released, *trained]


def most_trained(scale: int) -> list[str]:
    """Names of the networks of `available_methods` with the largest training fraction, one for each paper."""
    records = [find_record(name) for name in available_methods(scale) if name not in NAMES]
    papers = dict.fromkeys(record.folder.parts[-3] for record in records)
    best = [max((r for r in records if r.folder.parts[-3] == paper), key=training_fraction) for paper in papers]
    return [record.folder.parts[-2] for record in best]


def missing_methods(scale: int) -> str:
    """The networks of a scale that are not in `available_methods`, and how to get them; HTML."""
    released, available = find_method("VDSR", "vdsr_official", scale), available_methods(scale)
    absent = [e.name for e in EXPERIMENTS.values() if scale in e.recipes[0].scales and e.name not in available]
    notes = [f"VDSR (released): {released}."] if isinstance(released, str) else []
    notes += [f"<details><summary>{len(absent)} more: {QUEUE}</summary>{', '.join(absent)}</details>"] if absent else []
    parts = "".join(f"<div>{note}</div>" for note in notes).split("`")
    return "".join(f"<code>{part}</code>" if k % 2 else part for k, part in enumerate(parts))
