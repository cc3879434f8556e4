"""Tables like the papers', every printed number and ours in the right cell; and the claims of order, with what decides them."""

import base64
import io
import re

import pandas as pd

from srlib.figures.orderings import orders, trained_orders
from srlib.figures.tables import MARKS, VERDICTS, cells, compared, image_scores, method_of, other_runs, results_table
from srlib.ledger.comparisons import deciding_evidence
from srlib.ledger.rows import ledger
from srlib.papers.orderings import ORDERS


def text_of(html):
    """The text of a table's cells, line by line."""
    lines = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", line) for line in re.findall(r"<tr.*?>(.*?)</tr>", html, re.DOTALL)]
    return [[re.sub("<.*?>", "", cell) for cell in line] for line in lines]


def test_a_results_table_has_every_printed_number_in_its_cell():
    """Witness: DRRN's Table 2, twelve lines of eight methods, read back; by hand, best and second best on Set5 ×3."""
    text = results_table(cells(ledger(("drrn",)), "Table 2"), "Table 2").data
    lines = text_of(text)
    assert lines[0] == ["dataset", "scale", "Bicubic", "SRCNN", "SelfEx", "RFL", "VDSR", "DRCN", "DRRN_B1U9", "DRRN_B1U25"]
    assert len(lines) == 13
    assert lines[2][:2] == ["Set5", "×3"]
    assert lines[2][-1].startswith("34.03 / 0.9244")
    assert lines[12][2].startswith("23.14 / 0.6577")
    assert MARKS["reached"] in lines[12][2]
    set5_x3 = text.split("<tr>")[3]
    assert re.findall(r"<b>([\d.]+)</b>", set5_x3) == ["34.03", "0.9244"]
    assert re.findall(r"<u>([\d.]+)</u>", set5_x3) == ["33.93", "0.9234"]


def test_notes_and_a_download_of_every_line_stand_below_the_table():
    """Witness: the one misquoted digit of RL-CSC's Table 1, marked in its cell. Identity: the link holds the ledger's lines."""
    rows = cells(ledger(("rlcsc",)), "Table 1")
    text = results_table(rows, "Table 1").data
    assert "28.21 / 0.7721*" in text
    assert re.search(r"<li>Set14, ×4, DRRN, SSIM, 0\.7721: [^<]*0\.7720", text)
    link = re.search(r'href="data:text/csv;base64,([^"]+)"', text)[1]
    frame = pd.read_csv(io.BytesIO(base64.b64decode(link)), dtype=str, keep_default_na=False)
    assert list(zip(frame.id, frame.published, strict=True)) == [(row.id, row.published) for row in rows]


def test_every_verdict_has_a_mark_of_its_own():
    """Identity."""
    assert set(MARKS) == set(VERDICTS)
    assert len(set(MARKS.values())) == len(MARKS)


def test_methods_are_named_as_printed():
    """By hand."""
    names = {row.id: method_of(row) for paper in ("rlcsc", "dsrn", "drn") for row in ledger((paper,))}
    assert names["rlcsc.t1.set5.x3.rl-csc.psnr"] == "RL-CSC"
    assert names["dsrn.t1.set5.x2.a+.ifc"] == "A+"
    assert names["drn.t3.set5.x3.drn_plus.psnr"] == "DRN+"


def test_a_paired_comparison_is_the_mean_difference_with_its_interval(trained):
    """By hand: differences 1, 2, 3 have mean 2; of equal differences the interval is a point. What is missing is said."""
    for name, offsets in (("drrn_b1u9", (1, 2, 3)), ("drrn_b1u25", (0, 0, 0)), ("drrn_b3u8", (0, 0, 0))):
        trained(name, 30.0, offsets=offsets)
    (row,) = compared("drrn_b1u9", "drrn_b1u25", "drrn")[0].data.to_dict("records")
    assert (row["dataset"], row["images"], row["drrn_b1u9 minus drrn_b1u25"]) == ("Set5", 3, "+2.000")
    low, high = map(float, row["95 % interval"].split(" to "))
    assert 1 <= low < 2 < high <= 3
    assert compared("drrn_b3u8", "drrn_b1u25", "drrn")[0].data["95 % interval"].item() == "+0.000 to +0.000"
    assert "share no PSNR under vdsr" in compared("drrn_b1u9", "drrn_b1u25", "vdsr")[0].data
    assert "There is no record of nothing" in compared("drrn_b1u9", "nothing", "drrn")[0].data


def test_scores_of_images_are_folded_and_complete(trained):
    """Identity; and no other run is no table."""
    trained("drrn_b1u9", 31.0, offsets=(0, 1.5))
    (folded,) = image_scores("drrn", "drrn")
    assert folded.data.startswith("<details><summary>Set5 ×3, PSNR by image under drrn")
    assert text_of(folded.data) == [["image", "drrn_b1u9"], ["a", "31.000"], ["b", "32.500"]]
    assert "There is none yet" in other_runs("drrn", ("drrn",)).data


def test_claims_of_order_show_what_decides_them(grid):
    """The narrow grid's pairs are counted by what they say; a count on the networks says so."""
    text = orders("drrn", ("Figure 6",))
    deeper = next(line for line in text.splitlines() if "increasing B or U" in line)
    answers = [difference.outcome("better") for difference in deciding_evidence(ORDERS["drrn.f6.order.deeper"]).differences]
    assert f"16 filters: {answers.count('supported')} supported" in deeper
    assert "of 6 comparisons" in deeper
    assert re.search(r"\| \+0\.\d\d ± 0\.\d\d \(images", deeper) is None  # one made-up image has no interval
    assert "counted on the networks" in text
    assert "no two runs of ours at equal length yet" in orders("dsrn", ("Figure 3",))
    assert "not run" in orders("drn", ("Table 2",))
    assert orders("drrn", ("Table 99",)) == "There is none here."


def test_the_chapter_says_what_was_trained(grid):
    """Identity: every claim that two networks decide; that they are narrow, and their share of the published training."""
    text = trained_orders("drrn")
    assert "so they neither prove nor refute the paper" in text
    assert "(16 filters, fast recipe, 0.057 % of the training)" in text
    decided = [row for row in ledger(("drrn",)) if row.id in ORDERS and deciding_evidence(ORDERS[row.id])]
    assert len(text.splitlines()) == 6 + len(decided)
    assert trained_orders("drn").endswith("our runs bear on 0 of them.")
