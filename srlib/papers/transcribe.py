"""Read the published numbers out of the papers' texts into the `.csv` files beside this module.

    python -m srlib.papers.transcribe FOLDER_OF_TEXTS

A number is copied as printed, misprints included; remarks on it stand in `note`. Tables with a cell for each method, set and
scale are parsed here. Of the prose and of all other tables `prose/<paper>.csv` holds the words around each number, with `<>` in
its place. The files are committed, and a test transcribes again wherever the texts are at hand.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from srlib.papers.published import COLUMNS, FOLDER, PAPERS, items

DATASETS = {"set5": "Set5", "set14": "Set14", "bsd100": "BSD100", "bsds100": "BSD100", "bsdb100": "BSD100"}
DATASETS |= {"urban100": "Urban100", "manga109": "Manga109"}
METHODS = {"srccn": "srcnn", "srccnn": "srcnn", "selfexsr": "selfex", "drn(ours)": "drn", "drn+(ours)": "drn_plus"}
# The columns of a paper's own networks.
PAPER_METHODS = {"drrn": ("drrn_b1u9", "drrn_b1u25"), "dsrn": ("dsrn",), "rlcsc": ("rl-csc",), "drn": ("drn", "drn_plus")}
# Our experiment for a method's column at a scale; other methods keep the name in the table.
EXPERIMENTS = {"dsrn": "dsrn_t7_x{}", "rl-csc": "rlcsc_k25", "drn": "drn_x{}", "drn_plus": "drn_plus_x{}", "drrn": "drrn_b1u25"}
EXPERIMENTS |= {"srcnn": "srcnn_955"}  # whatever version a paper cites: the numbers are the journal's network's
NOTES = pd.read_csv(FOLDER / "prose" / "notes.csv", index_col="id").note  # on cells of the tables that are parsed

Row = dict[str, str]


def protocol_of(paper: str, method: str, metric: str, dataset: str) -> str:
    """The protocol of a printed number; empty where the paper does not say and nothing proves it.

    The protocols of the bicubic rows are proven to the last digit, VDSR's by its released weights; not on Manga109, where
    neither was computed. DRRN's numbers, wherever they are quoted, and the IFC of its VDSR are by its released code.
    """
    if paper == "dsrn":
        return {"drrn": "drrn", "dsrn": ""}.get(method, "lapsrn")
    if dataset == "Manga109" or (method in PAPER_METHODS[paper] and (paper == "drn" or (paper == "rlcsc" and metric != "ifc"))):
        return ""
    if method in ("bicubic", "vdsr"):
        return "drrn" if metric == "ifc" else "vdsr"
    return "drrn" if method == "drrn" or method in PAPER_METHODS[paper] else ""


def cell(paper: str, table: int, line: int, dataset: str, scale: str, method: str, metric: str, value: str) -> Row:
    """One printed number as a row."""
    identifier = f"{paper}.t{table}.{dataset.lower()}.x{scale}.{method}.{metric}"
    retrained = method == "vdsr" and metric == "ifc" and paper != "dsrn"  # DRRN's own VDSR, with normalisation
    return row_of(
        identifier,
        f"Table {table}",
        line,
        experiment="vdsr_bn" if retrained else EXPERIMENTS.get(method, method).format(scale),
        dataset=dataset,
        scale=scale,
        metric=metric,
        value=value,
        protocol=protocol_of(paper, method, metric, dataset),
        kind="measured" if method in PAPER_METHODS[paper] or (retrained and paper == "drrn") else "quoted",
        note=NOTES.get(identifier, ""),
    )


def row_of(identifier: str, where: str, line: int, **columns: str) -> Row:
    """A row of the csv; columns that are not passed are empty."""
    place = {"id": identifier, "where": where, "source": f"{identifier.split('.')[0]}.txt:{line}"}
    return dict.fromkeys(COLUMNS, "") | place | columns


def cells_of(line: str) -> list[str]:
    """The cells of a table row, tab- or bar-separated, without marks of emphasis and citations."""
    line = re.sub(r"</?[bu]>|\$|\\times", "", line)
    parts = line.strip().strip("|").split("|") if line.lstrip().startswith("|") else line.split("\t")
    return [re.sub(r"\s*\[\d+\]", "", part).strip() for part in parts]


def method_of(header: str) -> str:
    """Our name of a table's column."""
    name = header.lower()
    return METHODS.get(name, name)


def tables(lines: list[str], paper: str) -> Iterator[Row]:
    """Rows of the tables with a row per dataset and scale and a column per method (DRRN, RL-CSC, DRN)."""
    numbers = {"drrn": iter((2, 3)), "rlcsc": iter((1, 2)), "drn": iter((3,))}[paper]
    header: list[str] = []
    dataset = ""
    for number, line in enumerate(lines, 1):
        parts = cells_of(line)
        if parts[:2] == ["Dataset", "Scale"]:
            header, table = [method_of(part) for part in parts[2:]], next(numbers)
            continue
        if not line.strip():
            header = []  # a blank line ends a table
        if not header or len(parts) < 3 or not re.fullmatch(r"\d", parts[1]):
            continue
        dataset = DATASETS.get(parts[0].lower(), dataset)
        for method, text in zip(header, parts[2:], strict=False):
            values = text.split()  # none in a blank cell; three where a line holds all scales
            for scale, value in zip("234" if len(values) == 3 else parts[1], values, strict=False):
                for metric, digits in zip(("psnr", "ssim") if "/" in value else ("ifc",), value.split("/"), strict=True):
                    yield cell(paper, table, number, dataset, scale, method, metric, digits)


def dsrn_table(lines: list[str]) -> Iterator[Row]:
    """Rows of DSRN's Table 1, which has a row per method and scale, a column per dataset, three numbers a cell."""
    for number, line in enumerate(lines, 1):
        parts = cells_of(line)
        if len(parts) == 6 and re.fullmatch(r"\d", parts[1]):
            for dataset, text in zip(("Set5", "Set14", "BSD100", "Urban100"), parts[2:], strict=True):
                for metric, digits in zip(("psnr", "ssim", "ifc"), (t.strip() for t in text.split("/")), strict=True):
                    if digits != "N.A.":
                        yield cell("dsrn", 1, number, dataset, parts[1], method_of(parts[0]), metric, digits)


def sections(lines: list[str]) -> list[str]:
    """The place of each line: a table or figure for its caption, else a section."""
    section, places = "Title", []
    marked = any(line.startswith("# ") for line in lines)  # whether headings have marks; else they are short numbered lines
    for line in lines:
        caption = re.match(r"(Fig|Table)\D* (\d+)[.:]", line)
        heading = re.match(r"#+ \**(\d(?:\.\d)?)\b" if marked else r"(\d(?:\.\d)?)\. [A-Z].{,50}$", line)
        if heading:
            section = f"Section {heading[1]}"
        elif re.sub(r"\W", "", line).lower() == "abstract":
            section = "Abstract"
        elif re.sub(r"\W", "", line).lower().endswith("references"):
            section = "References"
        places.append(f"{caption[1].replace('Fig', 'Figure')} {caption[2]}" if caption else section)
    return places


def prose(lines: list[str], paper: str) -> Iterator[Row]:
    """Rows of the numbers in sentences, captions and small tables, and of the claims of order.

    A space stands for any white space. Of several `<>` the last is the number; one at the end of the words is a word itself.
    """
    places = sections(lines)
    table = pd.read_csv(FOLDER / "prose" / f"{paper}.csv", dtype=str, keep_default_na=False)
    for row in table.to_dict("records"):
        words = row.pop("words")
        pattern = re.escape(words).replace(r"\ ", r"\s+").replace("<>", r"(\S.*?)")
        if words.endswith("<>"):
            pattern += r"(?!\S)"
        matches = [(number, match) for number, line in enumerate(lines, 1) for match in re.finditer(pattern, line)]
        if len(matches) != 1:
            raise ValueError(f"{row['id']}: its words occur {len(matches)} times in {paper}.txt")
        number, match = matches[0]
        item = re.match(r"(t|f)(\d+)$", row["id"].split(".")[1])
        where = f"{'Table' if item[1] == 't' else 'Figure'} {item[2]}" if item else places[number - 1]
        value = match[len(match.groups())]  # the number, or all words of a claim of order
        yield row_of(row.pop("id"), where, number, value=value, **row)


def images(paper: str, places: set[str]) -> Iterator[Row]:
    """Rows for the contents of images: of each figure, and of a table that is not among the `places` with numbers."""
    for item in items(paper):
        if item.name.startswith("Figure") or item.name not in places:
            kind, _, number = item.name.lower().partition(" ")
            identifier = f"{paper}.{kind[0]}{number}"
            yield row_of(identifier, item.name, int(item.source.split(":")[1]), kind="image-only", note=item.title)


def transcribe(paper: str, texts: Path) -> pd.DataFrame:
    """All claims of one paper: the columns of `<paper>.csv`, as text; `texts` is the folder of `<paper>.txt`."""
    lines = (texts / f"{paper}.txt").read_text().splitlines()
    rows = list(dsrn_table(lines) if paper == "dsrn" else tables(lines, paper))
    rows += prose(lines, paper)
    rows += images(paper, {row["where"] for row in rows})
    return pd.DataFrame(rows, columns=COLUMNS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m srlib.papers.transcribe", description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path, help="folder that holds drrn.txt, dsrn.txt, rlcsc.txt and drn.txt")
    options = parser.parse_args()
    for paper in PAPERS:
        table = transcribe(paper, options.texts)
        table.to_csv(FOLDER / f"{paper}.csv", index=False, lineterminator="\n")
        print(f"{paper}.csv: {len(table)} claims")
