"""Text of the book about others' replications: their scores beside the printed ones, and the margins over VDSR."""

import numpy as np

from pages import join, table
from srlib.papers import PAPERS, TITLES, Claim, claims
from srlib.papers.published import Replication, replications
from srlib.protocol import SCALES
from srlib.records.record import find_record

HEADLINES = {"drrn": ("drrn_b1u9", "drrn_b1u25"), "dsrn": ("dsrn_t7_x3",), "rlcsc": ("rlcsc_k25",), "drn": ("drn_x3",)}
VDSR = "twtygqyy/pytorch-vdsr"
AT = 3  # the scale at which margins are compared: that of the papers' ablations


def others(paper: str) -> str:
    """Others' replications of one paper, or of the `baselines`, as Markdown."""
    published = replications(paper)
    if not published:
        return (
            f"We found no public replication of {TITLES[paper]} that states its scores. "
            "We looked in public repositories, in their discussions and in web pages."
        )
    rows = [_row(replication) for replication in published if replication.kind == "trained"]
    return join(
        "PSNR on Set5, in dB, as its source states it. In brackets the number that the papers print, and the difference.",
        table(rows),
        _scoring(published) if paper == "baselines" else _depths(published),
    )


def margin(paper: str) -> str:
    """One paper's margin over VDSR (dB) as printed and over another VDSR, as a paragraph of Markdown."""
    network = HEADLINES[paper][0]
    ours, quoted, theirs = _printed(paper, network), _printed(paper, "vdsr"), _vdsr()
    over, again, alike = _margins(ours, quoted)
    return (
        f"On Set5 ×{AT} {TITLES[paper]} prints {ours.value} dB for `{network}`, {over:.2f} dB above the {quoted.value} dB "
        f"that it quotes for VDSR. [{VDSR}]({theirs.source}) lists {theirs.scores[AT]:.2f} dB for a VDSR that it trained. "
        f"Over that one the margin is {again:.2f} dB; about {alike:.2f} dB, if what its scoring brings is taken off. "
        "{ref}`What speaks for and against that number <others-baselines>` stands with the networks."
    )


def margins() -> str:
    """The papers' margins over VDSR (dB), as printed and over the VDSR of `pytorch-vdsr`, as a Markdown table."""
    rows = []
    for paper, network in ((p, network) for p in PAPERS for network in HEADLINES[p]):
        ours = _printed(paper, network)
        over, again, alike = _margins(ours, _printed(paper, "vdsr"))
        rows.append(
            {"paper": TITLES[paper], "network": f"`{network}`", f"Set5 ×{AT} (dB)": ours.value}
            | {"over the VDSR that it quotes": f"{over:.2f}", f"over that of {VDSR}": f"{again:.2f}"}
            | {"over that one, scored alike": f"about {alike:.2f}"}
        )
    return table(rows)


def _row(replication: Replication) -> dict[str, str]:
    network = {"replication": f"[{replication.method}]({replication.source})", "network": f"`{replication.network}`"}
    note = replication.note + (" Scored without rounding." if replication.scoring == "unrounded" else "")
    return network | {f"×{scale}": _cell(replication, scale) for scale in SCALES} | {"what differs": note}


def _cell(replication: Replication, scale: int) -> str:
    if scale not in replication.scores:
        return "–"
    claim = replication.printed(scale)
    beside = f" ({claim.value}, {_signed(replication.difference(scale))})" if claim else ""
    return f"{replication.scores[scale]:.2f}{beside}"


def _depths(published: tuple[Replication, ...]) -> str:
    """The gain by depth (dB) where one source trained two of the paper's networks, in words."""
    text = []
    for method in dict.fromkeys(r.method for r in published):
        pair = [r for r in published if r.method == method]
        if len(pair) == 2:
            theirs = [_signed(pair[1].scores[scale] - pair[0].scores[scale]) for scale in SCALES]
            paper = [_signed(pair[1].printed(scale).number - pair[0].printed(scale).number) for scale in SCALES]
            text.append(
                f"{method} trained both depths: from `{pair[0].network}` to `{pair[1].network}` it gains {', '.join(theirs)} "
                f"dB at ×2, ×3 and ×4. The paper gains {', '.join(paper)} dB."
            )
    return join(*text)


def _scoring(published: tuple[Replication, ...]) -> str:
    """The part of the lead (dB) of `pytorch-vdsr` over VDSR's paper that comes of scoring, in words."""
    theirs, released = _vdsr(), _released()
    bicubic = next(r for r in published if r.kind == "scoring" and r.network == "bicubic")
    trainings = [r for r in published if r.network == "vdsr" and r.kind == "trained"]
    below = [r for r in trainings if all(r.difference(scale) < 0 for scale in r.scores)]
    more = ", ".join(_signed(theirs.difference(scale)) for scale in SCALES)
    unexplained = ", ".join(_signed(theirs.scores[scale] - released.scores[scale]) for scale in SCALES)
    return (
        f"{len(below)} of the {len(trainings)} trainings of VDSR score less than VDSR's paper at every scale that they state. "
        f"{VDSR} scores more, by {more} dB. A part of this is scoring, for its script rounds luma nowhere: "
        f"[bicubic]({bicubic.source}) has {_list(bicubic)} there. The VDSR that the paper's authors released has "
        f"{_list(released)} when we score it so. What remains is {unexplained} dB. It rests on that repository's own table; "
        "two readers measured less with its weights."
    )


def _margins(ours: Claim, quoted: Claim) -> tuple[float, float, float]:
    """Margins (dB) over the quoted VDSR, over that of `pytorch-vdsr`, and over that one less the gain by its scoring."""
    theirs, record = _vdsr().scores[AT], find_record("vdsr_official")
    rounded = record.mean("Set5", AT, "psnr", "vdsr") if record else None
    scoring_gain = _released().scores[AT] - (quoted.number if rounded is None else rounded)
    return ours.number - quoted.number, ours.number - theirs, ours.number - (theirs - scoring_gain)


def _vdsr() -> Replication:
    return next(r for r in replications("baselines") if r.method == VDSR)


def _released() -> Replication:
    return next(r for r in replications("baselines") if (r.kind, r.network) == ("scoring", "vdsr"))


def _printed(paper: str, network: str) -> Claim:
    """The PSNR that a paper prints for a network on Set5 at the scale of the margins."""
    cell = (network, "Set5", AT, "psnr")
    return next(c for c in claims(paper) if (c.experiment, c.dataset, c.scale, c.metric) == cell)


def _list(replication: Replication) -> str:
    return ", ".join(f"{replication.scores[scale]:.2f}" for scale in SCALES)


def _signed(value: float) -> str:
    return f"{np.round(value, 2) + 0.0:+.2f}".replace("-", "−")
