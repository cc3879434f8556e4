"""Page elements in the book: their scripts are taken out of the pages' HTML and loaded as files, where a page needs them.

`srlib.widgets.elements` puts an element's script beside it, for notebooks. Here one file serves all pages, and none lies
inline, so that a strict content-security policy lets it run.
"""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.fileutil import copy_asset_file

from srlib.widgets import elements

SCRIPT = re.compile(r'<script data-srlib="([\w.-]+)">.*?</script>\s*', re.DOTALL)


def strip_scripts(html: str) -> tuple[str, list[str]]:
    """HTML without the elements' scripts, and the names of these, each once."""
    return SCRIPT.sub("", html), list(dict.fromkeys(SCRIPT.findall(html)))


def load_scripts(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Take the elements' scripts out of one page and load them as files."""
    if "body" not in context:
        return
    context["body"], names = strip_scripts(context["body"])
    for name in names:
        target = Path(app.outdir, "_static", name)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            copy_asset_file(Path(elements.__file__).with_name(name), target)
        app.add_js_file(name, loading_method="defer")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to the pages."""
    app.connect("html-page-context", load_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
