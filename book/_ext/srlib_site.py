"""The frame of a page: head, provenance footer, links to records, no inline scripts; and a built folder without ballast."""

import html
import json
import os
import re
import shutil
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path

from docutils import nodes
from pages.records import anchor
from sphinx.application import Sphinx
from sphinx.builders.html._assets import _JavaScript

from srlib.records.provenance import commit, environment
from srlib.records.record import find_records
from srlib.training.devices import device_name

RECORD = re.compile(r'<span class="srlib-ours" data-record="(\w+)">(.*?)</span>', re.DOTALL)
# Fixed in others' HTML for screen readers and a strict policy: empty heads, an old role, inline styles.
EMPTY_HEAD = re.compile(r'<th(?: scope="col")?([^>]*)>(?:<p>)?(?:&nbsp;)?\s*(?:</p>)?</th>')
BIBLIOGRAPHY = ('role="doc-biblioentry"', 'role="listitem"')
PANDAS = (' style="text-align: right;"', "")
# Of MathJax the book loads one file and the fonts; the theme's icons are ours; nobody debugs the theme here.
BALLAST = ("locales", "vendor", "scripts/fontawesome.*", "**/*.map", "webpack-macros.html", "sbt-webpack-macros.html")
BALLAST += ("mathjax/node-main.js", "mathjax/latest.js", "mathjax/tex-[!c]*.js", "mathjax/tex-chtml-*.js", "mathjax/mml-*.js")
BALLAST += ("mathjax/adaptors", "mathjax/sre", "mathjax/input/asciimath.js", "mathjax/output/svg*")


def surround(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """Add head, footer and links to one page, and take its inline scripts out."""
    if app.builder.format != "html":
        return
    to = context["pathto"]
    if "body" in context:
        link = '<a class="srlib-ours" href="{}#{}">{}</a>'
        body = RECORD.sub(lambda m: link.format(to("records"), anchor(m[1]), m[2]), context["body"])
        context["body"] = EMPTY_HEAD.sub(r"<td\1></td>", body).replace(*BIBLIOGRAPHY).replace(*PANDAS)
    names_page = "DOCUMENTATION_OPTIONS.pagename"
    scripts = [script for script in context["script_files"] if names_page not in script.attributes.get("body", "")]
    context["script_files"] = [_as_file(app, script) for script in scripts]
    context["metatags"] = context.get("metatags", "") + _meta_tags(context, doctree)
    context["header_buttons"] = _downloads(context)
    context["theme_extra_footer"] = _footer(to, Path(app.srcdir, f"{page}.ipynb"))
    if page == app.config.root_doc:
        context["docstitle"] = ""  # the page's own title is the book's


def _as_file(app: Sphinx, script: _JavaScript) -> _JavaScript:
    """An inline script as a file: the extensions write some, which a policy `script-src 'self'` refuses."""
    body = script.attributes.get("body")
    if not body:
        return script
    name = f"inline-{sha256(body.encode()).hexdigest()[:8]}.js"
    path = Path(app.outdir, "_static", name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body + "\n")
    return _JavaScript(f"_static/{name}", priority=script.priority)


def _meta_tags(context: dict, doctree: nodes.document | None) -> str:
    """Meta tags with the page's first paragraph, for search engines and previews of links."""
    title = re.sub("<.*?>", "", context.get("title", ""))
    paragraphs = doctree.findall(nodes.paragraph) if doctree else ()
    words = " ".join(next((p.astext() for p in paragraphs if isinstance(p.parent, nodes.section)), title).split())
    if len(words) > 200:
        words = words[:200].rsplit(" ", 1)[0] + " …"
    title = html.unescape(title)
    tags = [("name", "description", words), ("name", "color-scheme", "light dark"), ("property", "og:type", "article")]
    properties = {"og:site_name": context["project"], "og:title": title, "og:description": words}
    tags += [("property", name, value) for name, value in properties.items()]
    return "".join(f'\n    <meta {kind}="{name}" content="{html.escape(value)}" />' for kind, name, value in tags)


def _downloads(context: dict) -> list[dict[str, str]]:
    """One button for the page's source: the executed notebook, or the Markdown."""
    if not (name := context.get("sourcename")):
        return []
    kind = "notebook" if name.endswith(".ipynb") else "source of this page"
    url = f"{context['pathto']('_sources', 1)}/{name}"
    return [{"type": "link", "url": url, "tooltip": f"Download the {kind}", "icon": "fas fa-download", "label": "download"}]


def _footer(to: object, notebook: Path) -> str:
    """The footer of a page: its execution, its downloads and the book's provenance."""
    lines = [_provenance().format(records=to("records"), status=to("status"))]
    if notebook.exists():
        papermill = json.loads(notebook.read_text())["metadata"].get("papermill", {})
        execution = ""
        if papermill.get("duration") is not None:
            execution = f"Executed on {papermill['start_time'][:10]} in {papermill['duration']:.0f} seconds. "
        name = notebook.stem
        download = f'<a download href="{to("_sources", 1)}/notebooks/{name}.ipynb">the notebook with its outputs</a>'
        lines.insert(0, f"{execution}Download {download}; its source is <code>notebooks/{name}.py</code>.")
    return "".join(f"<p>{line}</p>" for line in lines)


@cache
def _provenance() -> str:
    """The provenance of the book: commit, date, libraries, machine, records."""
    day = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH") or datetime.now(UTC).timestamp()), UTC)
    dates = sorted(record.info["date"][:10] for record in find_records())
    span = dates and (dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}")
    source = f'from <a href="{{records}}">{len(dates)} records</a> of {span}' if dates else "without records"
    code = commit()
    code = code[:12] + code[40:]  # the plus sign of files that differ from it
    return (
        f'Built on {day:%Y-%m-%d} at commit <a href="{{status}}"><code>{code}</code></a> {source}, '
        f"with torch {environment()['torch']} on {html.escape(device_name('cpu'))}."
    )


def trim(app: Sphinx, failure: Exception | None) -> None:
    """Remove files that no page loads."""
    if failure or app.builder.format != "html":
        return
    static = Path(app.outdir, "_static")
    for path in [path for pattern in BALLAST for path in static.glob(pattern)]:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to the pages, after the theme, and to the end of the build, after all others."""
    app.connect("html-page-context", surround, priority=900)
    app.connect("build-finished", trim, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
