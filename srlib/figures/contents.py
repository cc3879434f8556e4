"""What there is to work with, as tables of the start notebook: notebooks, datasets and records."""

import json
import re

import pandas as pd

from srlib.datasets import DATASETS, is_available
from srlib.records.provenance import ROOT
from srlib.records.record import find_records


def notebook_tables() -> dict[str, pd.DataFrame]:
    """The notebooks of each part of the book, in its order: title, with a link, and question; the first cell says both."""
    parts: dict[str, list[dict[str, str]]] = {}
    contents = (ROOT / "book" / "_toc.yml").read_text()
    for part, name in re.findall(r"caption: (.*)|file: notebooks/(\w+)", contents):
        if part:
            rows = parts.setdefault(part, [])
            continue
        notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())
        text = "".join(notebook["cells"][0]["source"])
        title = text.splitlines()[0].removeprefix("# ")
        question = re.search(r"\*\*Question\.\*\*\s(.*?)(?:\n\n|$)", text, re.DOTALL)
        asks = question[1].replace("\n", " ") if question else ""
        rows.append({"notebook": f"[{title}]({name}.ipynb)", "what it asks": asks})
    return {part: pd.DataFrame(rows) for part, rows in parts.items() if rows}


def dataset_table() -> pd.DataFrame:
    """The datasets: whether each is here, its number of images, role and licence."""
    return pd.DataFrame(
        {
            "dataset": dataset.name,
            "here": "yes" if is_available(dataset.name) else "no",
            "images": dataset.count,
            "role": dataset.role,
            "licence": dataset.licence,
        }
        for dataset in DATASETS.values()
    )


def record_table() -> pd.DataFrame:
    """The records: paper, experiment, whether its weights are here, hours of training and device."""
    return pd.DataFrame(
        {
            "of": record.folder.parts[-3],
            "experiment": record.info["experiment"],
            "weights": "yes" if (record.folder / "weights.safetensors").exists() else "no",
            "hours of training": f"{record.info.get('seconds', 0) / 3600:.2f}",
            "device": record.info.get("device", ""),
        }
        for record in find_records()
    )
