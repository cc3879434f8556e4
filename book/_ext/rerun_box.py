"""Additions to the pages of notebooks before they are parsed: the "rerun this" box, and captions of figures."""

import json
import math
from typing import Any

from pages.rerun import box
from sphinx.application import Sphinx


def prepare(app: Sphinx, page: str, source: list[str]) -> None:
    """Insert the box after the first cell, which asks the page's question, and give the figures of `show` their captions."""
    folder, _, name = page.rpartition("/")
    if folder != "notebooks":
        return
    notebook = json.loads(source[0])
    seconds = notebook["metadata"].get("papermill", {}).get("duration") or math.nan
    notebook["cells"].insert(1, {"cell_type": "markdown", "id": "rerun", "metadata": {}, "source": box(name, seconds)})
    notebook["cells"] = [part for cell in notebook["cells"] for part in with_caption(cell)]
    source[0] = json.dumps(notebook)


def with_caption(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """A cell with a figure, with name, caption and alt text in its metadata, where the book reads them; as a list of cells.

    The link to the data becomes a cell of its own: in one cell with the figure it would get the caption once more.
    """
    outputs = cell.get("outputs", [])
    figure = next((o["metadata"]["figure"] for o in outputs if "figure" in o.get("metadata", {})), None)
    if figure is None:
        return [cell]
    settings = {"figure": {key: figure[key] for key in ("name", "caption")}, "image": {"alt": figure["alt"]}}
    links = [o for o in outputs if "srlib-data" in "".join(o.get("data", {}).get("text/html", ""))]
    pictures = [o for o in outputs if o not in links and "caption" not in o.get("metadata", {})]
    figure_cell = cell | {"outputs": pictures, "metadata": cell["metadata"] | {"mystnb": settings}}
    if not links:
        return [figure_cell]
    return [
        figure_cell,
        cell | {"id": f"{cell['id']}-data", "metadata": {"tags": ["remove-input"]}, "source": "# data", "outputs": links},
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.connect("source-read", prepare)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
