"""The page of all records: for each the command that reproduces it, and its files."""

import os
import re
from itertools import groupby
from pathlib import Path

from pages import join, table
from srlib.papers import TITLES, get_experiment
from srlib.records.plan import FLAGSHIPS, cycles
from srlib.records.provenance import ROOT
from srlib.records.record import Record, find_records, training_fraction

FILES = ("record.json", "scores.csv", "curve.csv")
AGAIN = "results/runs/again"  # apart from the committed records, beside which `train` would find nothing to do


def anchor(experiment: str) -> str:
    """The label of an experiment's records on the page: `record-drrn-b1u9`."""
    return f"record-{experiment}".replace("_", "-")


def command(record: Record) -> str:
    """The command that reproduces a record, for a terminal in the project's folder."""
    info = record.info
    if info["kind"] != "training":
        weights = " --vdsr-weights FILE.npz" if info["experiment"].startswith("vdsr") else ""
        return f"python -m srlib.records.run{weights}"
    name = info.get("snapshot_of", info["experiment"])
    options = {"recipe": info["recipe"]["name"], "budget": f"{info['budget']:g}", "seed": info["seed"]}
    defaults = {"recipe": "fast", "budget": "1", "seed": 0}
    options = {name: value for name, value in options.items() if value != defaults[name]}
    if info["data"] != get_experiment(info["experiment"]).data:
        options["data"] = info["data"]
    if "snapshot_of" in info:
        options["keep"] = re.search(r"_(?:epoch|iteration)(\d+)", info["experiment"])[1]
    if ancestors := info.get("ancestors"):
        options["start-from"] = _folder_of(ancestors[-1]["weights_sha256"])
    options |= {"device": "cuda" if info.get("gpu_seconds") else "cpu", "precision": info["precision"], "out": AGAIN}
    sets = record.scores.dataset.unique()
    score = f" --score {' '.join(sets)}" if len(sets) else ""
    return f"python -m srlib train {name}" + "".join(f" --{k} {v}" for k, v in options.items()) + score


def _folder_of(weights_sha256: str) -> str:
    """The folder of the record with some weights, relative to the project's."""
    folders = (record.folder for record in find_records() if record.info.get("weights_sha256") == weights_sha256)
    return next((os.path.relpath(folder, ROOT) for folder in folders), f"RECORD_{weights_sha256[:8]}")


def records() -> str:
    """All records by paper and experiment, as Markdown: facts, files to download, commands to copy."""
    text = []
    for paper, paper_records in groupby(find_records(), lambda record: record.folder.parts[-3]):
        text.append(f"## {TITLES.get(paper, paper.capitalize())}")
        for experiment, group in groupby(paper_records, lambda record: record.folder.parts[-2]):
            group = list(group)
            commands = "\n".join(dict.fromkeys(map(command, group)))
            text += [f"({anchor(experiment)})=\n### `{experiment}`", table(map(_facts, group)), f"```bash\n{commands}\n```"]
    return join(*text) or "There is no record yet."


def flagships() -> str:
    """Training of the networks of the papers' own sizes: cycles, fraction, hours and PSNR (dB), as a Markdown table."""
    rows = []
    for flagship in FLAGSHIPS:
        finished = cycles(flagship.experiment, (None,))
        row = {"network": f"`{flagship.experiment}`", "cycles": len(finished)}
        if finished:
            latest, experiment = finished[-1], get_experiment(flagship.experiment)
            scores = [(s, latest.mean("Set5", s, "psnr", experiment.protocols[0])) for s in latest.info["recipe"]["scales"]]
            row["share of the published training"] = f"{100 * training_fraction(latest):.2g} %"
            row["hours"] = f"{sum(record.info['seconds'] for record in finished) / 3600:.1f}, {latest.info['device']}"
            row["Set5 (dB)"] = ", ".join(f"×{s}: {psnr:.2f}" for s, psnr in scores if psnr is not None) or "–"
        rows.append(row)
    return table(rows)


def _facts(record: Record) -> dict[str, str]:
    """One line of an experiment's table."""
    info, facts = record.info, {"data": ", ".join(record.scores.dataset.unique())}
    if info["kind"] == "training":
        training = f"{info['iterations_done']:,} iterations in {info['seconds']:,.0f} s on {info['device']}"
        if "diverged" in info:
            training = f"diverged by iteration {info['iterations_done']:,}"
        if ancestors := info.get("ancestors"):
            training += ", after " + ", ".join(f"{a['iterations']:,} as `{a['experiment']}`" for a in ancestors)
            training += "; it builds on others, so it decides no claim of order"
        facts = {"training": training, "data": info["data"]}
    return {
        "record": record.folder.name,
        **facts,
        "commit": f"`{info['commit'][:8]}`",
        "date": info["date"][:10],
        "files": ", ".join(_link(record.folder / name) for name in FILES if (record.folder / name).exists()),
    }


def _link(path: Path) -> str:
    """A link to download a file, for a page in the folder of the book."""
    return f"{{download}}`{path.name} <{os.path.relpath(path, ROOT / 'book')}>`"
