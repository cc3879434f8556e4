"""Text that notebooks and pages compute: Markdown tables, and what some lines of the ledger say."""

import math
import re
from collections.abc import Iterable

import pandas as pd

from srlib.figures.tables import method_of
from srlib.ledger.rows import VERDICTS, Row, counts
from srlib.papers import printed
from srlib.records.record import find_record


def markdown_table(frame: pd.DataFrame) -> str:
    """A table as Markdown."""
    lines = [list(frame.columns), ["---"] * frame.shape[1], *frame.astype(str).to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def with_intervals(value: float, half_width: float, images: tuple[float, float], digits: int = 2, unit: str = "") -> str:
    """A difference, half its interval over seeds and the ends of that over test images; left out is what is not finite."""
    seeds = f" ± {half_width:.{digits}f}" if math.isfinite(half_width) else ""
    low, high = images
    return f"{value:+.{digits}f}{seeds}{unit}" + (f" (images {low:+.2f} to {high:+.2f})" if math.isfinite(low) else "")


def summary(rows: Iterable[Row]) -> str:
    """What some lines of the ledger say, in a sentence or two: verdicts, best and worst gap."""
    own = [row for row in rows if row.kind == "measured"]
    said = counts(own)
    listed = ", ".join(f"{said[verdict]} {verdict}" for verdict in VERDICTS if said[verdict])
    text = f"Of the paper's {said.total()} own numbers here: {listed}."
    scored = [row for row in own if row.gap is not None and row.metric == "psnr"]
    if scored:
        extremes = (pick(scored, key=lambda row: row.gap) for pick in (max, min))
        best, worst = (f"{row.gap:+.2f} dB ({row.dataset} ×{row.scale}, {row.protocol})" for row in extremes)
        text += f" Ours minus published is {best} at best and {worst} at worst."
    return text


def mixed_protocols() -> str:
    """What DSRN's Table 1 mixes, with the numbers, as Markdown."""
    record = find_record("bicubic")
    if record is None:
        return "There is no record of bicubic interpolation."
    rows = []
    for dataset in ("Set5", "Set14", "BSD100", "Urban100"):
        for scale in (2, 3, 4):
            row = {"dataset": dataset, "scale": f"×{scale}"}
            for metric in ("psnr", "ifc"):
                a, b = (record.mean(dataset, scale, metric, name) for name in ("drrn", "lapsrn"))
                text = "–" if a is None or b is None else f"{a:.3f}, {b:.3f}, **{b - a:+.3f}**"
                row[f"bicubic {metric.upper()}: `drrn`, `lapsrn`, difference"] = text
            own, theirs = (printed(f"dsrn.t1.{dataset.lower()}.x{scale}.{method}.psnr") for method in ("dsrn", "drrn"))
            row["DSRN minus DRRN as printed (dB)"] = f"{own - theirs:+.2f}"
            rows.append(row)
    return markdown_table(pd.DataFrame(rows))


def escape_markdown(words: str) -> str:
    """Words of a paper's text, safe inside Markdown."""
    return re.sub(r"[\\$*_<|]", r"\\\g<0>", words.replace("\\_", "_"))  # some underscores are escaped already


def largest_cells(rows: Iterable[Row], method: str) -> str:
    """In how many cells of a printed table a method has the largest number, and which method has it elsewhere; Markdown."""
    printed_cells: dict[tuple[str, int | None, str], dict[str, float]] = {}
    for row in rows:
        printed_cells.setdefault((row.dataset, row.scale, row.metric), {})[method_of(row)] = float(row.published)
    others = {cell: numbers for cell, numbers in printed_cells.items() if numbers[method] < max(numbers.values())}
    count = f"**{len(printed_cells) - len(others)} of {len(printed_cells)}**"
    text = f"{method}'s printed number is the largest in {count} cells.\n"
    for (dataset, scale, metric), numbers in others.items():
        best = max(numbers, key=numbers.get)
        text += f"\n* Not on {dataset} ×{scale}, {metric.upper()}: {best} has {numbers[best]}, {method} {numbers[method]}."
    return text
