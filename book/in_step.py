"""Bring each notebook and its `.py` into step: where their cells differ, the one that was saved later counts.

JupyterLab reads the `.py` and opens no notebook that another editor has changed since. So such changes are written to the
`.py`. What the other file held lies in `_build/notebooks`. Run from the repository's root, as `make lab` does.
"""

import shutil
from pathlib import Path

import jupytext

SAVED = Path("_build/notebooks")


def cells(path: Path) -> list[tuple]:
    """What the pair has in common: kind, text and tags of each cell."""
    return [(c.cell_type, c.source, c.metadata.get("tags"), c.metadata.get("mystnb")) for c in jupytext.read(path).cells]


for notebook in sorted(Path("notebooks").glob("*.ipynb")):
    text = notebook.with_suffix(".py")
    if not text.exists():
        continue
    later = notebook.stat().st_mtime_ns > text.stat().st_mtime_ns
    if cells(notebook) != cells(text):
        SAVED.mkdir(parents=True, exist_ok=True)
        shutil.copy2(text if later else notebook, SAVED)
        if later:
            changed = jupytext.read(notebook)
            changed.metadata = jupytext.read(text).metadata  # JupyterLab's own are longer
            jupytext.write(changed, text, fmt="py:percent")
            print(f"{text}: taken from the notebook, which was saved later")
    if later:
        text.touch()
