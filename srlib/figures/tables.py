"""Tables like the papers', with our numbers inserted: HTML that can be sorted and downloaded in the book, a table everywhere.

A cell shows the printed number and, where we have one, ours below it with its difference, its fraction of the published
training and a mark for the verdict. The best and second best printed numbers are bold and underlined, whatever a paper's own
colours.
"""

import html
from collections.abc import Callable, Iterable, Sequence

import pandas as pd
from IPython.display import HTML
from pandas.io.formats.style import Styler

from srlib.figures.style import download, table
from srlib.ledger.comparisons import interval
from srlib.ledger.rows import UNTRAINED, VERDICTS, Row, find_ours, rows_frame, say
from srlib.papers import claim, claims
from srlib.protocol import METRICS
from srlib.records.record import find_record
from srlib.records.scores import percent, runs

MARKS = {
    "reached": "✓",
    "above": "↑",
    "short of it": "↓",
    "unfinished": "…",
    "supported": "⊕",
    "contradicted": "⊖",
    "undecided": "?",
    "agrees": "=",
    "not run": "○",
    "not comparable": "∅",
    "inconsistent as printed": "≠",
    "unexplained": "!",
    "damaged": "✗",
}
METHODS = ("A+", "SRCNN", "FSRCNN", "SelfEx", "RFL", "SCN", "VDSR", "DRCN", "LapSRN", "DRRN", "DSRN", "RL-CSC", "MemNet", "IDN",
           "PSyCo", "SRMDNF", "MSRN", "DRN", "Bicubic", "DRRN_B1U9", "DRRN_B1U25")  # fmt: skip
NAMES = {name.lower(): name for name in METHODS} | {"drn_plus": "DRN+"}


def method_of(row: Row) -> str:
    """Name of a row's method as the papers print it."""
    method = claim(row.id).method
    return NAMES.get(method, method)


def cells(rows: Iterable[Row], table_name: str, *metrics: str) -> list[Row]:
    """Rows of the ledger for the scores of one printed table, such as 'Table 2': of these metrics, or of all by default."""
    metrics = metrics or METRICS
    return [row for row in rows if row.where == table_name and row.kind in ("measured", "quoted") and row.metric in metrics]


def results_table(
    rows: Iterable[Row],
    caption: str,
    line: Callable[[Row], tuple[str, ...]] = lambda row: (row.dataset, f"×{row.scale}"),
    column: Callable[[Row], str] = method_of,
    heads: Sequence[str] = ("dataset", "scale"),
    best_along: str = "line",
) -> HTML:
    """A table of printed numbers with ours below them, a legend of the marks that occur, and a link that holds it as CSV.

    Parameters
    ----------
    rows : iterable of Row
        Rows of the ledger, from `cells`; several metrics of one cell are joined by a slash.
    line, column : callable
        Line headings and column heading of a row of the ledger.
    heads : sequence of str
        Column headings of the line headings.
    best_along : {'line', 'column', ''}
        The numbers among which the best and second best are marked; '' for no mark. In a column, lines of different scales are
        compared apart.
    """
    rows = list(rows)
    lines: dict[tuple, dict[str, list[Row]]] = {}
    columns = dict.fromkeys(column(row) for row in rows)
    for row in rows:
        lines.setdefault(line(row), {}).setdefault(column(row), []).append(row)
    groups = {"line": line, "column": lambda row: (column(row), row.scale)}
    ranks = _ranks(rows, groups[best_along]) if best_along else {}
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in (*heads, *columns))
    body = ""
    for headings, by_column in lines.items():
        head_cells = "".join(f'<th scope="row">{html.escape(heading)}</th>' for heading in headings)
        body += f"<tr>{head_cells}{''.join(_cell(by_column.get(name, []), ranks) for name in columns)}</tr>\n"
    verdicts = {row.verdict for row in rows if row.kind == "measured" or row.ours is not None}
    legend = ["<b>bold</b>: best as printed, <u>underlined</u>: second best"] if best_along else []
    legend += ["below: ours, " + ", ".join(f"{MARKS[v]} {v}" for v in VERDICTS if v in verdicts)] if verdicts else []
    rows_with_note = {row.id: row for row in rows if row.note}.values()
    texts = [f"{', '.join((*line(r), column(r), r.metric.upper(), r.published))}: {r.note}" for r in rows_with_note]
    notes = "".join(f"<li>{html.escape(text)}</li>" for text in texts)
    legend += ["*: noted below"] if notes else []
    return HTML(
        f'<div class="srlib-results"><div class="srlib-scroll" role="group" tabindex="0" aria-label="{html.escape(caption)}">'
        '<table class="dataframe srlib-table srlib-sortable">'
        f"<caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
        f'<p class="srlib-legend">{"; ".join(legend)}. {download(rows_frame(rows), "table.csv")}</p>'
        f'<ul class="srlib-legend">{notes}</ul></div>'
    )


def _ranks(rows: list[Row], group_of: Callable[[Row], tuple]) -> dict[str, float]:
    """Rank of each claim's printed number in its group, dataset and metric: 1 for the best, 2 for the second, and so on."""
    published = pd.Series({row.id: float(row.published) for row in rows})
    groups = {row.id: (group_of(row), row.metric, row.dataset) for row in rows}
    return published.groupby(groups).rank("dense", ascending=False).to_dict()


def _cell(rows: list[Row], ranks: dict[str, float]) -> str:
    """The HTML of one cell: the printed numbers of all metrics, and below them ours, a line for each protocol."""
    if not rows:
        return "<td>–</td>"
    printed = []
    for row in {row.id: row for row in rows}.values():
        tag = {1: "b", 2: "u"}.get(ranks.get(row.id))
        text = html.escape(row.published) + ("*" if row.note else "")
        printed.append(f"<{tag}>{text}</{tag}>" if tag else text)
    below = ""
    for protocol in dict.fromkeys(row.protocol for row in rows):
        ours = [row for row in rows if row.protocol == protocol]
        if any(row.ours is not None for row in ours) or ours[0].kind == "measured":
            one_protocol = len({row.protocol for row in rows if row.metric == ours[0].metric}) == 1
            text = _ours(ours, "" if one_protocol else protocol)
            below += f'<br><span class="srlib-ours"{record_attribute(ours)}>{text}</span>'
    return f'<td data-value="{html.escape(rows[0].published)}">{" / ".join(printed)}{below}</td>'


def record_attribute(rows: list[Row]) -> str:
    """HTML attribute with the experiment whose records gave our numbers, which the book turns into a link; '' without any."""
    scores = (find_ours(claim(row.id), row.protocol) for row in rows if row.ours is not None)
    ours = next(filter(None, scores), None)
    return f' data-record="{ours.records[0].info["experiment"]}"' if ours else ""


def _ours(rows: list[Row], protocol: str) -> str:
    """Our part of one cell: numbers and mark, below them differences and the fraction of the published training; HTML."""
    marks = "".join(dict.fromkeys(MARKS[row.verdict] for row in rows))
    verdicts = "; ".join(dict.fromkeys(say(row) for row in rows))
    mark = f'<abbr title="{html.escape(verdicts)}">{marks}</abbr>'
    if all(row.ours is None for row in rows):
        return f"{protocol} {mark}".strip()
    digits = [len(row.published.partition(".")[2]) for row in rows]
    numbers = " / ".join("–" if r.ours is None else f"{r.ours:.{d}f}" for r, d in zip(rows, digits, strict=True))
    gaps = " / ".join("–" if r.gap is None else f"{r.gap:+.{d}f}" for r, d in zip(rows, digits, strict=True))
    fractions = [row.training_fraction for row in rows if row.recipe]
    training = f"<br>{percent(fractions[0])} of the training" if fractions else ""
    return f"{protocol} {numbers} {mark}<br>{gaps}{training}".strip()


def image_scores(paper: str, protocol: str) -> list[HTML]:
    """PSNR (dB) by image of one paper's networks, bicubic and VDSR: a folded table for each dataset and scale."""
    names = (*UNTRAINED.values(), *runs().names(paper))
    records = {name: record for name in names if (record := find_record(name))}
    scored = dict.fromkeys(cell for record in records.values() for cell in record.means if cell[2:] == (protocol, "psnr"))
    tables = []
    for cell in scored:
        title = f"{cell[0]} ×{cell[1]}, PSNR by image under {protocol}"
        columns = {name: record.by_image[cell] for name, record in records.items() if cell in record.means}
        frame = pd.DataFrame(columns).rename_axis("image").reset_index()
        text = frame.to_html(index=False, classes="dataframe srlib-table srlib-sortable", border=0, float_format="%.3f")
        text = f'<div class="srlib-scroll" role="group" tabindex="0" aria-label="{title}">{text}</div>'
        tables.append(HTML(f"<details><summary>{title}</summary>{text}{download(frame, 'scores.csv')}</details>"))
    return tables


def compared(a: str, b: str, protocol: str) -> list[HTML | Styler]:
    """Mean differences of PSNR (dB) of two records, a minus b, on every dataset and scale that both were scored on.

    `a` and `b` are experiments, `bicubic` or `vdsr_official`. The list holds one table, with 95 % intervals over images (see
    `interval`), or the reason why there is none.
    """
    records = {name: find_record(name) for name in (a, b)}
    if missing := [name for name, record in records.items() if record is None]:
        return [HTML(f"<p>There is no record of {html.escape(' or '.join(missing))} to compare.</p>")]
    first, second = (record.by_image for record in records.values())
    rows = []
    for cell in (cell for cell in first if cell in second and cell[2:] == (protocol, "psnr")):
        differences = (first[cell] - second[cell]).dropna()  # on the images that both have
        low, high = interval(tuple(differences))
        rows.append(
            {"dataset": cell[0], "scale": f"×{cell[1]}", "images": len(differences)}
            | {f"{a} minus {b}": f"{differences.mean():+.3f}", "95 % interval": f"{low:+.3f} to {high:+.3f}"}
        )
    if not rows:
        return [HTML(f"<p>{html.escape(a)} and {html.escape(b)} share no PSNR under {protocol}.</p>")]
    return [table(pd.DataFrame(rows), f"{a} against {b}: PSNR under {protocol}")]


def other_runs(paper: str, protocols: Sequence[str]) -> HTML | Styler:
    """Scores of one paper's runs that no printed number is for, mostly of narrow networks, and their gain over bicubic."""
    claimed = {claim.experiment for claim in claims(paper)}
    bicubic, rows = find_record("bicubic"), []
    for name in (name for name in runs().names(paper) if name not in claimed):
        for records in runs().groups(name).values():
            for dataset, scale, protocol in dict.fromkeys(key[:3] for key in records[0].means if key[2] in protocols):
                scores = [{metric: r.mean(dataset, scale, metric, protocol) for metric in METRICS} for r in records]
                ours = pd.DataFrame(scores).mean()
                bicubic_psnr = bicubic.mean(dataset, scale, "psnr", protocol) if bicubic else None
                rows.append(
                    {"experiment": name, "seeds": len(records), "iterations": f"{records[0].info['iterations_done']:,}"}
                    | {"dataset": dataset, "scale": f"×{scale}", "protocol": protocol}
                    | {"PSNR": ours.psnr, "SSIM": ours.ssim, "IFC": ours.ifc}
                    | {"over bicubic (dB)": bicubic_psnr and ours.psnr - bicubic_psnr}
                )
    if not rows:
        return HTML("<p>There is none yet.</p>")
    digits = {"PSNR": "{:.2f}", "SSIM": "{:.4f}", "IFC": "{:.2f}", "over bicubic (dB)": "{:+.2f}"}
    return table(pd.DataFrame(rows), "Narrow networks and other runs of ours: means over seeds").format(digits, na_rep="–")
