"""What the book adds to the pages of notebooks before they are parsed: the "rerun this" box, and data links below captions."""

import json
import math
from typing import Any

from pages.rerun import box
from sphinx.application import Sphinx


def prepare(app: Sphinx, page: str, source: list[str]) -> None:
    """Put the box behind the first cell, which asks the page's question, and each figure's data link behind its figure."""
    folder, _, name = page.rpartition("/")
    if folder != "notebooks":
        return
    notebook = json.loads(source[0])
    seconds = notebook["metadata"].get("papermill", {}).get("duration") or math.nan
    notebook["cells"].insert(1, {"cell_type": "markdown", "id": "rerun", "metadata": {}, "source": box(name, seconds)})
    notebook["cells"] = [part for cell in notebook["cells"] for part in below_caption(cell)]
    source[0] = json.dumps(notebook)


def below_caption(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """A figure and, as a cell of its own, the link to its data, which in one cell with it would get the caption once more."""
    if "figure" not in cell["metadata"].get("mystnb", {}):
        return [cell]
    links = [o for o in cell["outputs"] if "srlib-data" in "".join(o.get("data", {}).get("text/html", ""))]
    if not links:
        return [cell]
    rest = [output for output in cell["outputs"] if output not in links]
    below = {"id": f"{cell['id']}-data", "metadata": {"tags": ["remove-input"]}, "source": "# data", "outputs": links}
    return [cell | {"outputs": rest}, cell | below]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the hook."""
    app.connect("source-read", prepare)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
