"""Read the published numbers out of the papers' texts into the `.csv` files beside this module.

    python -m srlib.papers.transcribe FOLDER_OF_TEXTS

A number is copied as printed, misprints included; what is known about it stands in `note`. The files are committed, and a test
transcribes again wherever the texts are at hand.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

COLUMNS = ["id", "where", "source", "experiment", "dataset", "scale", "metric", "value", "protocol", "kind", "note"]
DATASETS = {"set5": "Set5", "set14": "Set14", "bsd100": "BSD100", "bsds100": "BSD100", "bsdb100": "BSD100"}
DATASETS |= {"urban100": "Urban100", "manga109": "Manga109"}
METHODS = {"srccn": "srcnn", "srccnn": "srcnn", "selfexsr": "selfex", "drn(ours)": "drn", "drn+(ours)": "drn_plus"}
OWN = {"drrn": ("drrn_b1u9", "drrn_b1u25"), "dsrn": ("dsrn",), "rlcsc": ("rl-csc",), "drn": ("drn", "drn_plus")}
NOTES = {
    "drrn.t3.set5.x3.bicubic.ifc": "3.579 by every variant we tried: one unit of the last digit below",
    "rlcsc.t2.set5.x3.bicubic.ifc": "quoted from DRRN, which see",
    "drrn.t2.urban100.x3.bicubic.ssim": ".7348 by every variant we tried: one unit of the last digit below",
    "rlcsc.t1.urban100.x3.bicubic.ssim": "quoted from DRRN, which see",
    "drn.t3.urban100.x3.bicubic.ssim": "as in DRRN, which see",
    "dsrn.t1.set14.x4.bicubic.ssim": ".705 by every variant we tried; its PSNR and IFC agree",
    "drn.t3.set5.x3.bicubic.ssim": "misprint: the other papers print .8682, which we reproduce",
    "drn.t3.set5.x3.srmdnf.psnr": "misprint of 34.12",
    "drn.t3.bsd100.x3.a+.psnr": "A+'s score on Urban100; on BSD100 it is 28.30",
    "drn.t3.bsd100.x3.a+.ssim": "A+'s score on Urban100",
    "drn.t3.bsd100.x3.msrn.ssim": "MSRN's score on Urban100",
    "drn.t3.set14.x3.drn.ssim": "above DRN+'s .8466: probably .8464",
    "rlcsc.t1.set14.x4.drrn.ssim": "DRRN itself prints .7720",
}

Row = dict[str, str]


def protocol_of(paper: str, method: str, metric: str) -> str:
    """The protocol behind a printed number; empty where the paper does not say and nothing proves it."""
    if paper == "dsrn":
        return {"drrn": "drrn", "dsrn": ""}.get(method, "lapsrn")
    if paper == "drn" and method in OWN["drn"]:
        return ""
    return "vdsr" if method in ("bicubic", "vdsr") and metric != "ifc" else "drrn"


def cell(paper: str, table: int, line: int, dataset: str, scale: str, method: str, metric: str, value: str) -> Row:
    """One printed number as a row."""
    identifier = f"{paper}.t{table}.{dataset.lower()}.x{scale}.{method}.{metric}"
    return {
        "id": identifier,
        "where": f"Table {table}",
        "source": f"{paper}.txt:{line}",
        "experiment": method,
        "dataset": dataset,
        "scale": scale,
        "metric": metric,
        "value": value,
        "protocol": protocol_of(paper, method, metric),
        "kind": "measured" if method in OWN[paper] else "quoted",
        "note": NOTES.get(identifier, ""),
    }


def cells_of(line: str) -> list[str]:
    """The cells of a table row, tab- or bar-separated, without marks of emphasis and citations."""
    line = re.sub(r"</?[bu]>|\$|\\times", "", line.strip("\n"))
    parts = line.strip().strip("|").split("|") if line.lstrip().startswith("|") else line.split("\t")
    return [re.sub(r"\s*\[\d+\]", "", part).strip() for part in parts]


def method_of(header: str) -> str:
    """Our name of a table's column."""
    name = header.lower()
    return METHODS.get(name, name)


def tables(lines: list[str], paper: str) -> Iterator[Row]:
    """Tables with a row per dataset and scale and a column per method (DRRN, RL-CSC, DRN)."""
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
                for metric, printed in zip(("psnr", "ssim") if "/" in value else ("ifc",), value.split("/"), strict=True):
                    yield cell(paper, table, number, dataset, scale, method, metric, printed)


def dsrn_table(lines: list[str]) -> Iterator[Row]:
    """DSRN's Table 1: a row per method and scale, a column per dataset, three numbers a cell."""
    for number, line in enumerate(lines, 1):
        parts = cells_of(line)
        if len(parts) == 6 and re.fullmatch(r"\d", parts[1]):
            for dataset, text in zip(("Set5", "Set14", "BSD100", "Urban100"), parts[2:], strict=True):
                for metric, printed in zip(("psnr", "ssim", "ifc"), (t.strip() for t in text.split("/")), strict=True):
                    if printed != "N.A.":
                        yield cell("dsrn", 1, number, dataset, parts[1], method_of(parts[0]), metric, printed)


def drrn_figure_6(lines: list[str]) -> Iterator[Row]:
    """The five points of Figure 6 that the text states; the others are only in the image."""
    structure = r"B\d+U\d+"
    for number, line in enumerate(lines, 1):
        if "respectively" in line and (
            match := re.search(rf"({structure}).* and ({structure}).* achieve (\S+) and (\S+) dB", line)
        ):
            pairs = list(zip(match.groups()[:2], match.groups()[2:], strict=True))
        else:
            pairs = re.findall(rf"({structure}) ([\d.]+) dB", line)
        for name, value in pairs:
            row = cell("drrn", 6, number, "Set5", "3", f"drrn_{name.lower()}", "psnr", value)
            yield row | {"id": f"drrn.f6.{name.lower()}", "where": "Figure 6 (text)", "kind": "measured"}


def transcribe(paper: str, texts: Path) -> pd.DataFrame:
    """All numbers of one paper."""
    lines = (texts / f"{paper}.txt").read_text().splitlines()
    rows = list(dsrn_table(lines) if paper == "dsrn" else tables(lines, paper))
    if paper == "drrn":
        rows += drrn_figure_6(lines)
    return pd.DataFrame(rows, columns=COLUMNS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m srlib.papers.transcribe", description=__doc__.splitlines()[0])
    parser.add_argument("texts", type=Path, help="folder that holds drrn.txt, dsrn.txt, rlcsc.txt and drn.txt")
    options = parser.parse_args()
    for paper in OWN:
        table = transcribe(paper, options.texts)
        table.to_csv(Path(__file__).with_name(f"{paper}.csv"), index=False, lineterminator="\n")
        print(f"{paper}.csv: {len(table)} numbers")
