"""The whole book as one PDF: all pages on one, built from the executed notebooks, then printed by Chromium.

    python book/pdf.py _build/srlib.pdf

The browser is `chromium` or `google-chrome`, or the file that `SRLIB_CHROMIUM` names. Pictures are the book's own; what is live
in it, such as the viewer, is printed as captioned pictures.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

BOOK = Path(__file__).parent
WIDTH = 680  # CSS pixels between the margins of A4
STYLE = """
@page { size: A4; margin: 15mm 15mm 18mm }
html { font-size: 11px !important }
.bd-main .bd-content .bd-article-container { max-width: none; padding: 0 }
pre { font-size: 8.5px; line-height: 1.35; white-space: pre-wrap; overflow-wrap: anywhere }
table { font-size: .8em }
.toggle-button, .copybtn, .headerlink, .bd-footer, .toctree-wrapper .caption-number, details.hide { display: none !important }
.cell, .cell_input, .cell_output, .output, [class*=highlight], pre, table, .pst-scrollable-table-container, .generated
  { break-inside: auto !important; overflow: visible !important; max-height: none !important }
tr, img, figure, .admonition, .sd-row { break-inside: avoid }
h1, h2, h3, h4, caption { break-after: avoid }
span[id^="document-"] + section { break-before: page }
"""
# Tables of many columns, wider than the paper.
FIT = """() => {
  for (const element of document.querySelectorAll("article table, article img, article svg, article mjx-container")) {
    const { left, width } = element.getBoundingClientRect();
    const room = element.closest("article").getBoundingClientRect().right - left;
    if (room > 100 && width > room + 1) element.style.zoom = Math.max(0.4, room / width);
  }
}"""
FOOTER = '<div style="width: 100%; font-size: 8px; text-align: center"><span class="pageNumber"></span></div>'


def one_page(folder: Path) -> Path:
    """Build the book as a single HTML page in a folder; the file."""
    command = [Path(sys.executable).parent / "jupyter-book", "build", BOOK, "--config", BOOK.parent / "_config.yml"]
    command += ["--path-output", folder, "--all", "--builder", "singlehtml"]
    done = subprocess.run(command, cwd=BOOK.parent, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"The book does not build:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return folder / "_build" / "singlehtml" / "intro.html"


def print_page(page_file: Path, pdf: Path) -> None:
    """Print a page as A4, with an outline of its headings, when its formulae are set."""
    browser_file = os.environ.get("SRLIB_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not browser_file:
        sys.exit("A Chromium is wanted to print the book: install chromium, or set SRLIB_CHROMIUM to its file.")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=browser_file, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 960}, color_scheme="light")
        page.set_default_timeout(180_000)
        page.emulate_media(media="print", color_scheme="light")
        page.goto(page_file.resolve().as_uri())
        page.add_style_tag(content=STYLE)
        page.evaluate("async () => { await document.fonts.ready; await window.MathJax?.startup?.promise }")
        page.evaluate(FIT)
        page.pdf(
            path=pdf,
            prefer_css_page_size=True,
            print_background=True,
            outline=True,
            tagged=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
        )
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: python book/pdf.py FILE.pdf")
    if not any((BOOK / "notebooks").glob("*.ipynb")):
        sys.exit("The notebooks are not executed yet: make book")
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    print_page(one_page(target.parent.resolve() / "pdf"), target)
    print(f"{target}: {target.stat().st_size / 1e6:.0f} MB")
