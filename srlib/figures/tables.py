"""Tables like the papers', with ours inserted: as HTML that sorts and downloads in the book and stays a table everywhere.

A cell shows what is printed and, where we have a number, ours below it with its difference, its share of the published
training and a mark for the verdict. Best and second best of the printed numbers are bold and underlined, whatever a paper's
own colours.
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
NAMES = {"a+": "A+", "srcnn": "SRCNN", "fsrcnn": "FSRCNN", "selfex": "SelfEx", "rfl": "RFL", "scn": "SCN", "vdsr": "VDSR"}
NAMES |= {
    "drcn": "DRCN",
    "lapsrn": "LapSRN",
    "drrn": "DRRN",
    "dsrn": "DSRN",
    "rl-csc": "RL-CSC",
    "memnet": "MemNet",
    "idn": "IDN",
}
NAMES |= {"psyco": "PSyCo", "srmdnf": "SRMDNF", "msrn": "MSRN", "drn": "DRN", "drn_plus": "DRN+", "bicubic": "Bicubic"}
NAMES |= {"drrn_b1u9": "DRRN_B1U9", "drrn_b1u25": "DRRN_B1U25"}


def method_of(row: Row) -> str:
    """The name of a row's method as the papers print it."""
    method = claim(row.id).method
    return NAMES.get(method, method)


def cells(rows: Iterable[Row], where: str, *metrics: str) -> list[Row]:
    """The lines of the ledger that are the cells of one printed table of scores, of some metrics or of all."""
    scores = metrics or METRICS
    return [row for row in rows if row.where == where and row.kind in ("measured", "quoted") and row.metric in scores]


def results_table(
    rows: Iterable[Row],
    caption: str,
    line: Callable[[Row], tuple[str, ...]] = lambda row: (row.dataset, f"×{row.scale}"),
    column: Callable[[Row], str] = method_of,
    heads: Sequence[str] = ("dataset", "scale"),
    best_along: str = "line",
) -> HTML:
    """A table of printed numbers with ours beneath.

    Parameters
    ----------
    rows : iterable of Row
        Lines of the ledger that are one table's; several metrics of one cell are joined by a slash.
    caption : str
        Shown above.
    line, column : callable
        Where a row of the ledger stands.
    heads : sequence of str
        Names of what `line` returns.
    best_along : {'line', 'column', ''}
        Among which the best is marked; a column's best is sought among lines of one scale.

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
    for key, by_column in lines.items():
        texts = "".join(f'<th scope="row">{html.escape(part)}</th>' for part in key)
        body += f"<tr>{texts}{''.join(_cell(by_column.get(name, []), ranks) for name in columns)}</tr>\n"
    shown = {row.verdict for row in rows if row.kind == "measured" or row.ours is not None}
    legend = ["<b>bold</b>: best as printed, <u>underlined</u>: second best"] if best_along else []
    legend += ["below: ours, " + ", ".join(f"{MARKS[v]} {v}" for v in VERDICTS if v in shown)] if shown else []
    noted = {
        row.id: (", ".join((*line(row), column(row), row.metric.upper(), row.published)), row.note) for row in rows if row.note
    }
    notes = "".join(f"<li>{html.escape(f'{place}: {note}')}</li>" for place, note in noted.values())
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
    """By claim: 0 for the best printed number of each group, set and metric, 1 for the second, and so on."""
    ranks: dict[str, int] = {}
    groups: dict[tuple, dict[str, float]] = {}
    for row in rows if group else ():
        groups.setdefault((group(row), row.metric, row.dataset), {})[row.id] = float(row.published)
    for values in groups.values():
        top = sorted(set(values.values()), reverse=True)
        ranks |= {name: top.index(value) for name, value in values.items()}
    return ranks


def _cell(rows: list[Row], ranks: dict[str, int]) -> str:
    """One cell: the printed numbers of all metrics, and below them ours, a line for each protocol."""
    if not rows:
        return "<td>–</td>"
    printed = []
    for row in {row.id: row for row in rows}.values():
        tag = {0: "b", 1: "u"}.get(ranks.get(row.id, 2))
        text = html.escape(row.published) + "*" * bool(row.note)
        printed.append(f"<{tag}>{text}</{tag}>" if tag else text)
    below = ""
    for protocol in dict.fromkeys(row.protocol for row in rows):
        ours = [row for row in rows if row.protocol == protocol]
        if any(row.ours is not None for row in ours) or ours[0].kind == "measured":
            several = len({row.protocol for row in rows if row.metric == ours[0].metric}) > 1
            below += f'<br><span class="srlib-ours"{made_by(ours)}>{_ours(ours, protocol if several else "")}</span>'
    value = next(iter(rows)).published
    return f'<td data-value="{html.escape(value)}">{" / ".join(printed)}{below}</td>'


def made_by(rows: list[Row]) -> str:
    """The experiment whose records gave our numbers, as an attribute, which the book turns into a link."""
    ours = next((found for row in rows if row.ours is not None and (found := find_ours(claim(row.id), row.protocol))), None)
    return f' data-record="{ours.records[0].info["experiment"]}"' if ours else ""


def _ours(rows: list[Row], protocol: str) -> str:
    """Ours in one cell: numbers and mark, below them differences and the share of the published training."""
    marks = "".join(dict.fromkeys(MARKS[row.verdict] for row in rows))
    verdicts = "; ".join(dict.fromkeys(say(row) for row in rows))
    mark = f'<abbr title="{html.escape(verdicts)}">{marks}</abbr>'
    if all(row.ours is None for row in rows):
        return f"{protocol} {mark}".strip()
    digits = [len(row.published.partition(".")[2]) for row in rows]
    numbers = " / ".join("–" if r.ours is None else f"{r.ours:.{d}f}" for r, d in zip(rows, digits, strict=True))
    gaps = " / ".join("–" if r.gap is None else f"{r.gap:+.{d}f}" for r, d in zip(rows, digits, strict=True))
    trained = [row.training_fraction for row in rows if row.recipe]
    share = f"<br>{percent(trained[0])} of the training" if trained else ""
    return f"{protocol} {numbers} {mark}<br>{gaps}{share}".strip()


def per_image(records: dict[str, Record], dataset: str, scale: int, protocol: str, metric: str = "psnr") -> HTML:
    """The scores behind a mean, image by image, folded away until they are asked for.

    Parameters
    ----------
    records : dict
        Name to record; those without these scores are left out.
    dataset, scale, protocol, metric
        Which scores.
    """
    columns = {name: _scores(record, dataset, scale, protocol, metric) for name, record in records.items()}
    columns = {name: scores for name, scores in columns.items() if len(scores)}
    title = f"{dataset} ×{scale}, {metric.upper()} by image under {protocol}"
    if not columns:
        return HTML(f"<p>{title}: no record has been scored so.</p>")
    frame = pd.DataFrame(columns).rename_axis("image")
    frame = frame.reset_index()
    text = frame.to_html(index=False, classes="dataframe srlib-table srlib-sortable", border=0, float_format="%.3f")
    text = f'<div class="srlib-scroll" role="group" tabindex="0" aria-label="{title}">{text}</div>'
    return HTML(f"<details><summary>{title}</summary>{text}{download(frame, 'scores.csv')}</details>")


def image_scores(paper: str, protocol: str, metric: str = "psnr") -> list[HTML]:
    """The scores behind every mean of one paper's networks, bicubic and VDSR: one folded table for each set and scale."""
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
    """How much better a is than b on the same images.

    Returns
    -------
    tuple or None
        Mean difference, the ends of its 95 % interval (bootstrap over images, 10,000 draws, fixed seed) and the number of
        images; `None` if they share no scores.
    """
    both = pd.concat([_scores(r, dataset, scale, protocol, metric) for r in (a, b)], axis=1, join="inner").to_numpy()
    if not len(both):
        return None
    difference = both[:, 0] - both[:, 1]
    return float(difference.mean()), *interval(tuple(map(float, difference))), len(difference)


def compared(a: str, b: str, protocol: str, metric: str = "psnr") -> list[HTML | Styler]:
    """Two records image by image: the mean difference on every set that both were scored on.

    Parameters
    ----------
    a, b : str
        Experiments with a record, `bicubic` or `vdsr_official`.
    protocol, metric : str
        Which scores.
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
    """Scores of one paper's runs that no printed cell asks for: narrow networks, mostly, beside bicubic interpolation."""
    asked = {claim.experiment for claim in claims(paper)}
    bicubic, rows = find_record("bicubic"), []
    for name in (name for name in runs().names(paper) if name not in asked):
        for records in runs().groups(name).values():
            for dataset, scale, protocol in dict.fromkeys(key[:3] for key in records[0].means if key[2] in protocols):
                scores = [{metric: r.mean(dataset, scale, metric, protocol) for metric in METRICS} for r in records]
                ours = pd.DataFrame(scores).mean()
                plain = bicubic.mean(dataset, scale, "psnr", protocol) if bicubic else None
                rows.append(
                    {"experiment": name, "seeds": len(records), "iterations": f"{records[0].info['iterations_done']:,}"}
                    | {"dataset": dataset, "scale": f"×{scale}", "protocol": protocol}
                    | {"PSNR": ours.psnr, "SSIM": ours.ssim, "IFC": ours.ifc}
                    | {"over bicubic (dB)": plain and ours.psnr - plain}
                )
    if not rows:
        return HTML("<p>There is none yet.</p>")
    digits = {"PSNR": "{:.2f}", "SSIM": "{:.4f}", "IFC": "{:.2f}", "over bicubic (dB)": "{:+.2f}"}
    return table(pd.DataFrame(rows), "Narrow networks and other runs of ours: means over seeds").format(digits, na_rep="–")
