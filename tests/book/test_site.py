"""The built book, page by page: in a browser from files, over http and under a policy; and its folder, link by link.

`SRLIB_BOOK` names the folder that `make book` has made (`_build/html`).
"""

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from conftest import absent
from element_scripts import strip_scripts

from srlib.widgets.elements import with_script

pytestmark = pytest.mark.xdist_group("site")  # the pages are read once

# What the theme and MathJax need: scripts from files alone; styles also inline, for MathJax and pandas write some.
POLICY = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'"
POLICY += "; connect-src 'self'; base-uri 'none'; form-action 'self'"
# axe is slow: it need not see rows like those above them, code like that above it, and on all pages the same contents.
FEWER = """() => {
  const more = "tbody tr:nth-child(n + 4), .cell ~ .cell ~ .cell .highlight span";
  document.querySelectorAll(more).forEach((part) => part.remove());
  if (!location.pathname.endsWith("intro.html")) document.querySelector(".bd-docs-nav").remove();
}"""
# A page of each kind: text, paper, walk, tables, networks, records, search; notebooks with viewer, tables, curves, ...
KINDS = {"intro", "drrn", "drrn_open", "ledger", "models", "records", "search", "notebooks/compare", "notebooks/drrn_tables"}
KINDS |= {"notebooks/drrn_BU_grid", "notebooks/dsrn_states", "notebooks/rlcsc_structure", "notebooks/recurrence"}
HEAVY = 2 * 1024**2  # bytes of a page and of its own pictures


@pytest.fixture(scope="session")
def book() -> Path:
    """The folder of the built book."""
    folder = Path(os.environ.get("SRLIB_BOOK", ""))
    if "SRLIB_BOOK" not in os.environ or not (folder / "index.html").exists():
        absent("the built book is not at hand: make book, then SRLIB_BOOK=_build/html")
    return folder.resolve()


def pages(book: Path) -> list[Path]:
    """All of them; `index.html` only leads to the first."""
    return [path for path in sorted(book.rglob("*.html")) if "_static" not in path.parts and path != book / "index.html"]


class Page(HTMLParser):
    """What the tests look at in one file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids, self.links, self.images, self.sources, self.inline = set(), [], [], [], []
        self.script = False
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.ids |= {known[name] for name in ("id", "name") if known.get(name)}
        if tag == "a" and "href" in known:
            self.links.append(known["href"])
        if tag == "img":
            self.images.append(known)
        if tag in ("img", "script") and known.get("src"):
            self.sources.append(known["src"])
        if tag == "link" and known.get("href"):
            self.sources.append(known["href"])
        self.script = tag == "script" and "src" not in known and known.get("type", "text/javascript") == "text/javascript"
        self.inline += [f"{name} of <{tag}>" for name in known if name.startswith("on")]

    def handle_data(self, data):
        if self.script and data.strip():
            self.inline.append(data.strip()[:80])

    def handle_endtag(self, tag):
        self.script = False


@pytest.fixture(scope="session")
def parsed(book) -> dict[Path, Page]:
    """Every page, read once."""
    return {path: Page(path) for path in pages(book)}


def test_elements_scripts_leave_the_page_and_are_named():
    """What `with_script` adds for notebooks is taken out again, once for two elements; other scripts stay (identity)."""
    other = "<script>let x = 1;</script>"
    two = with_script("<p>one</p>", "viewer.js") + other + with_script("<p>two</p>", "viewer.js")
    assert strip_scripts(two) == (f"<p>one</p>\n{other}<p>two</p>\n", ["viewer.js"])
    assert strip_scripts(other) == (other, [])


@pytest.mark.browser
def test_no_page_names_another_origin_or_holds_a_script(parsed):
    """Everything that a page loads lies beside it, and no script or handler is inline, so `script-src 'self'` does."""
    for path, page in parsed.items():
        assert [source for source in page.sources if urlsplit(source).scheme not in ("", "data")] == [], path
        assert page.inline == [], path


@pytest.mark.browser
def test_links_lead_somewhere(book, parsed):
    """Each link to a file or an anchor of the book finds it; each link to elsewhere is https."""
    for path, page in parsed.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                assert parts.scheme in ("https", "data", "mailto"), f"{path}: {link[:100]}"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path}: {link}"
            if parts.fragment and target in parsed:
                assert unquote(parts.fragment) in parsed[target].ids, f"{path}: {link}"


@pytest.mark.browser
def test_pages_are_light_and_their_pictures_have_words(book, parsed):
    """A page and its own pictures stay under 2 MB; each picture has an alternative text, empty only for the logo."""
    for path, page in parsed.items():
        own = {(path.parent / src).resolve() for src in page.sources if "_images/" in src}
        assert path.stat().st_size + sum(file.stat().st_size for file in own) < HEAVY, path
        wordless = [image.get("src", "")[:80] for image in page.images if not image.get("alt")]
        assert all("logo" in source for source in wordless), f"{path}: {wordless}"


@pytest.mark.browser
def test_a_page_says_where_it_comes_from(book, parsed):
    """Each page has a footer with commit, records and machine; a notebook's has its run, download and the box to rerun it."""
    for path in parsed:
        text = path.read_text()
        assert re.search(r"Built on \d{4}-\d\d-\d\d at commit .*records.*torch", text), path
        if path.parent.name == "notebooks":
            assert re.search(r"Executed on \d{4}-\d\d-\d\d in \d+ seconds", text), path
            assert f'href="../_sources/notebooks/{path.stem}.ipynb"' in text, path
            assert "srlib-rerun" in text, path


@pytest.mark.browser
def test_our_numbers_lead_to_their_record(book, parsed):
    """From a cell of DRRN's Table 2 one click leads to bicubic's record, where its scores are to be had."""
    assert "../records.html#record-bicubic" in parsed[book / "notebooks/drrn_tables.html"].links
    files = [link for link in parsed[book / "records.html"].links if link.startswith("_downloads/")]
    assert {"record.json", "scores.csv", "curve.csv"} == {Path(link).name for link in files}


@pytest.mark.browser
@pytest.mark.parametrize("which", ["a page of each kind", pytest.param("all", marks=pytest.mark.weekly)])
def test_every_page_works_from_files_and_anybody_can_read_it(book, open_page, which):
    """From the disk: no message in the console, no request to elsewhere, no violation that axe-core finds (WCAG 2.2 AA)."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    options = {"resultTypes": ["violations"], "preload": False, "iframes": False}
    page, found, seen = open_page((book / "intro.html").as_uri(), reduced_motion="reduce"), [], set()
    for path in pages(book):
        page.goto(path.as_uri())
        name = path.relative_to(book).with_suffix("").as_posix()
        if which == "all" or name in KINDS:
            seen.add(name)
            page.evaluate(FEWER)
            violations = axe.run(page, options=options).response["violations"]
            page.evaluate("document.documentElement.dataset.theme = 'dark'")  # on which the contrast alone depends
            violations += axe.run(page, options=options | {"runOnly": ["color-contrast"]}).response["violations"]
            for violation in violations:
                parts = [node["html"][:120] for node in violation["nodes"]]
                found.append(f"{path.name}: {violation['id']}: {len(parts)}, {parts[0]}")
        found += [f"{path.name}: {message}" for message in page.trouble]
        page.trouble.clear()
    assert seen >= KINDS
    assert found == []


@pytest.mark.browser
def test_every_page_fits_a_phone_and_keeps_a_policy(book, open_page, serve):
    """Over http, with scripts from files alone: no message, few requests, and no sideways scroll at 390 pixels."""
    address = serve(book, {"Content-Security-Policy": POLICY})
    page = open_page(f"{address}/intro.html", viewport={"width": 390, "height": 844}, color_scheme="dark")
    found, requests = [], []
    page.on("request", lambda request: requests.append(request.url))
    for path in pages(book):
        requests.clear()
        page.goto(f"{address}/{path.relative_to(book)}")
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        found += [f"{path.name}: {wide} pixels too wide"] if wide > 0 else []
        found += [f"{path.name}: {len(requests)} requests"] if len([r for r in requests if r.startswith("http")]) > 60 else []
        found += [f"{path.name}: {message}" for message in page.trouble]
        page.trouble.clear()
    assert found == []


@pytest.mark.browser
def test_search_needs_no_server(book, open_page):
    """From the disk the search finds the pages that speak of IFC, among them the protocols."""
    page = open_page((book / "search.html").as_uri() + "?q=IFC")
    page.locator("ul.search a", has_text="protocol").first.wait_for()
    assert page.trouble == []


@pytest.mark.browser
def test_the_keyboard_reaches_the_text_and_shows_where_it_is(book, open_page):
    """The first Tab offers to skip to the text, and what has the focus has an outline (WCAG 2.4.1, 2.4.7)."""
    page = open_page((book / "ledger.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#main-content"
    for _ in range(12):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle + document.activeElement.outerHTML")
        assert outline.startswith("solid"), outline[:200]


@pytest.mark.browser
def test_tables_sort(book, open_page):
    """A press on a column's head puts the largest number first, a second press the smallest."""
    page = open_page((book / "ledger.html").as_uri())
    table = page.locator("table.srlib-ledger").first
    column = table.locator("thead th").all_inner_texts().index("published")
    head = table.locator("thead th button").nth(column)

    def numbers() -> list[float]:
        texts = table.locator(f"tbody tr td:nth-child({column + 1})").all_inner_texts()
        return [float(text.replace(",", "")) for text in texts if re.fullmatch(r"-?[\d,.]+", text)]

    head.click()
    assert numbers() == sorted(numbers(), reverse=True)
    head.click()
    assert numbers() == sorted(numbers())
