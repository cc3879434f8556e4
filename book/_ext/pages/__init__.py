"""Generators of pages: Markdown for the `{generated}` directive, computed while the book is built."""

import base64
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from srlib.figures.text import markdown_table
from srlib.records.record import results_folder


def table(rows: Iterable[Mapping[str, object]], missing: str = "–") -> str:
    """A Markdown table of rows, each from column to cell; `missing` stands where a row lacks a column."""
    return markdown_table(pd.DataFrame(rows).fillna(missing))


def join(*parts: str) -> str:
    """Parts of a page as paragraphs; empty ones are left out."""
    return "\n\n".join(filter(None, parts))


def read_report(benchmark: str) -> dict[str, Any]:
    """The report of `benchmarks/<benchmark>.py`; empty if there is none."""
    path = results_folder() / "benchmarks" / f"{benchmark}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def not_measured(benchmark: str) -> str:
    """A sentence that stands for a benchmark without a report."""
    return f"Not measured yet: `python benchmarks/{benchmark}.py`."


def svg(figure: Figure, **options: object) -> str:
    """A figure, which is closed, as the address of an SVG image that lies in the address itself."""
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None}, **options)
    plt.close(figure)
    return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}"
