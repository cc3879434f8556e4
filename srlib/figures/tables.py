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
from srlib.records.record import Record, find_record
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
    """A table of printed numbers with our numbers below them.

    Parameters
    ----------
    rows : iterable of Row
        Rows of the ledger, from `cells`; several metrics of one cell are joined by a slash.
    caption : str
        Caption above the table.
    line, column : callable
        Line headings and column heading of a row of the ledger.
    heads : sequence of str
        Column headings of the line headings.
    best_along : {'line', 'column', ''}
        The numbers among which the best and second best are marked; '' for no mark. In a column, lines of different scales are
        compared apart.

    Returns
    -------
    IPython.display.HTML
        The table, a legend of the marks that occur, and a link that holds the same as CSV.
    """
    rows = list(rows)
    lines: dict[tuple, dict[str, list[Row]]] = {}
    columns = list(dict.fromkeys(column(row) for row in rows))
    for row in rows:
        lines.setdefault(line(row), {}).setdefault(column(row), []).append(row)
    ranks = _ranks(rows, {"line": line, "column": lambda r: (column(r), r.scale), "": None}[best_along])
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


def _ranks(rows: list[Row], group: Callable[[Row], object] | None) -> dict[str, int]:
    """Rank of each claim's printed number in its group, dataset and metric: 0 for the best, 1 for the second, and so on."""
    ranks: dict[str, int] = {}
    groups: dict[tuple, dict[str, float]] = {}
    for row in rows if group else ():
        groups.setdefault((group(row), row.metric, row.dataset), {})[row.id] = float(row.published)
    for values in groups.values():
        top = sorted(set(values.values()), reverse=True)
        ranks |= {name: top.index(value) for name, value in values.items()}
    return ranks


def _cell(rows: list[Row], ranks: dict[str, int]) -> str:
    """The HTML of one cell: the printed numbers of all metrics, and below them ours, a line for each protocol."""
    if not rows:
        return "<td>–</td>"
    printed = []
    for row in {row.id: row for row in rows}.values():
        tag = {0: "b", 1: "u"}.get(ranks.get(row.id, 2))
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


def per_image(records: dict[str, Record], dataset: str, scale: int, protocol: str, metric: str = "psnr") -> HTML:
    """A folded table of the scores of some records by image.

    Parameters
    ----------
    records : dict
        Column heading to record; records without these scores are left out.
    dataset, protocol, metric : str
        Dataset, protocol and metric of the scores.
    scale : int
        2, 3 or 4.
    """
    columns = {name: _scores(record, dataset, scale, protocol, metric) for name, record in records.items()}
    columns = {name: scores for name, scores in columns.items() if len(scores)}
    title = f"{dataset} ×{scale}, {metric.upper()} by image under {protocol}"
    if not columns:
        return HTML(f"<p>{title}: no record has been scored so.</p>")
    frame = pd.DataFrame(columns).rename_axis("image").reset_index()
    text = frame.to_html(index=False, classes="dataframe srlib-table srlib-sortable", border=0, float_format="%.3f")
    text = f'<div class="srlib-scroll" role="group" tabindex="0" aria-label="{title}">{text}</div>'
    return HTML(f"<details><summary>{title}</summary>{text}{download(frame, 'scores.csv')}</details>")


def image_scores(paper: str, protocol: str, metric: str = "psnr") -> list[HTML]:
    """Scores by image of one paper's networks, bicubic and VDSR: a folded table for each dataset and scale."""
    names = (*UNTRAINED.values(), *runs().names(paper))
    records = {name: record for name in names if (record := find_record(name))}
    keys = dict.fromkeys(key[:2] for record in records.values() for key in record.means if key[2:] == (protocol, metric))
    return [per_image(records, dataset, scale, protocol, metric) for dataset, scale in keys]


def _scores(record: Record, dataset: str, scale: int, protocol: str, metric: str) -> pd.Series:
    s = record.scores
    return s[(s.dataset == dataset) & (s.scale == scale) & (s.protocol == protocol)].set_index("image")[metric].dropna()


def paired(
    a: Record, b: Record, dataset: str, scale: int, protocol: str, metric: str = "psnr"
) -> tuple[float, float, float, int] | None:
    """Mean difference of the scores of two records on the same images, a minus b, in the metric's unit.

    Returns
    -------
    tuple or None
        Mean difference, the ends of its 95 % interval (bootstrap over images, 10,000 draws, fixed seed) and the number of
        images; `None` if they share no scores.
    """
    scores = (_scores(record, dataset, scale, protocol, metric) for record in (a, b))
    pairs = pd.concat(scores, axis=1, join="inner").to_numpy()
    if not len(pairs):
        return None
    differences = pairs[:, 0] - pairs[:, 1]
    return float(differences.mean()), *interval(tuple(map(float, differences))), len(differences)


def compared(a: str, b: str, protocol: str, metric: str = "psnr") -> list[HTML | Styler]:
    """Mean differences of the scores of two records, a minus b, on every dataset and scale that both were scored on.

    Parameters
    ----------
    a, b : str
        Experiments with a record, `bicubic` or `vdsr_official`.
    protocol, metric : str
        Protocol and metric of the scores.

    Returns
    -------
    list of one IPython.display.HTML or pandas Styler
        The table with 95 % intervals over images, or the reason why there is none.
    """
    records = {name: find_record(name) for name in (a, b)}
    if missing := [name for name, record in records.items() if record is None]:
        return [HTML(f"<p>There is no record of {html.escape(' or '.join(missing))} to compare.</p>")]
    keys = [{k[:2] for k in record.means if k[2:] == (protocol, metric)} for record in records.values()]
    rows = []
    for dataset, scale in (key for key in dict.fromkeys(k[:2] for k in records[a].means) if key in keys[0] & keys[1]):
        mean, low, high, images = paired(*records.values(), dataset, scale, protocol, metric)
        rows.append(
            {"dataset": dataset, "scale": f"×{scale}", "images": images, f"{a} minus {b}": f"{mean:+.3f}"}
            | {"95 % interval": f"{low:+.3f} to {high:+.3f}"}
        )
    if not rows:
        return [HTML(f"<p>{html.escape(a)} and {html.escape(b)} share no {metric.upper()} under {protocol}.</p>")]
    return [table(pd.DataFrame(rows), f"{a} against {b}: {metric.upper()} under {protocol}")]


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
