"""Tables like the papers': every printed number and ours in the right cell, marks by rule, a download that holds it all."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from srlib.figures.tables import (
    MARKS,
    VERDICTS,
    cells,
    compared,
    interval,
    method_of,
    other_runs,
    paired,
    per_image,
    results_table,
)
from srlib.ledger.rows import ledger
from srlib.records.record import find_record, write_record


class Cells(HTMLParser):
    """The text of a table's cells, row by row."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.open = [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.open = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.open = False

    def handle_data(self, data):
        if self.open:
            self.rows[-1][-1] += data


def record(folder, name, scores):
    """An evaluation with a PSNR for each image."""
    columns = ["dataset", "scale", "image", "protocol", "psnr", "ssim", "ifc"]
    rows = [["Set5", 3, f"image{k}", "drrn", value, 0.9, 3.0] for k, value in enumerate(scores)]
    table = pd.DataFrame(rows, columns=columns)
    return write_record(folder / "baselines" / name / "seed0", {"kind": "evaluation", "experiment": name}, table)


def test_a_results_table_has_every_printed_number_in_its_cell():
    """Witness: DRRN's Table 2, twelve lines of eight methods, read back from the HTML."""
    rows = cells(ledger(("drrn",)), "Table 2")
    lines = Cells(results_table(rows, "Table 2").data).rows
    assert lines[0] == ["dataset", "scale", "Bicubic", "SRCNN", "SelfEx", "RFL", "VDSR", "DRCN", "DRRN_B1U9", "DRRN_B1U25"]
    assert len(lines) == 13
    assert lines[2][:2] == ["Set5", "×3"]
    assert lines[2][-1].startswith("34.03 / 0.9244")
    assert lines[12][2].startswith("23.14 / 0.6577")
    assert MARKS["reached"] in lines[12][2]


def test_best_and_second_best_are_marked():
    """By hand, Set5 x3 of Table 2: B1U25 34.03 and B1U9 33.93; SSIM likewise."""
    rows = [row for row in cells(ledger(("drrn",)), "Table 2") if (row.dataset, row.scale) == ("Set5", 3)]
    text = results_table(rows, "one line").data
    assert re.findall(r"<b>([\d.]+)</b>", text) == ["34.03", "0.9244"]
    assert re.findall(r"<u>([\d.]+)</u>", text) == ["33.93", "0.9234"]


def test_notes_stand_below_the_table():
    """Witness: the one misquoted digit of RL-CSC's Table 1, marked in its cell and named below."""
    text = results_table(cells(ledger(("rlcsc",)), "Table 1"), "Table 1").data
    assert "28.21 / 0.7721*" in text
    assert re.search(r"<li>Set14, ×4, DRRN, SSIM, 0\.7721: [^<]*0\.7720", text)


def test_the_download_holds_every_line():
    """Identity: the link's content is the ledger's lines."""
    rows = cells(ledger(("rlcsc",)), "Table 2")
    link = re.search(r'href="data:text/csv;base64,([^"]+)"', results_table(rows, "Table 2").data)[1]
    frame = pd.read_csv(io.BytesIO(base64.b64decode(link)), dtype=str, keep_default_na=False)
    assert list(frame.id) == [row.id for row in rows]
    assert list(frame.published) == [row.published for row in rows]


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


def test_a_paired_comparison_is_the_mean_difference_with_its_interval(results):
    """By hand: differences 1, 2, 3 have mean 2; of equal differences the interval is a point."""
    a, b = record(results, "a", [31.0, 32.0, 33.0]), record(results, "b", [30.0, 30.0, 30.0])
    mean, low, high, images = paired(a, b, "Set5", 3, "drrn")
    assert (mean, images) == (pytest.approx(2), 3)
    assert 1 <= low < 2 < high <= 3
    assert paired(a, a, "Set5", 3, "drrn") == (0, 0, 0, 3)
    assert paired(a, b, "Set14", 3, "drrn") is None


def test_the_interval_covers_as_often_as_it_says():
    """Witness: normal differences of known mean; of 200 intervals over 60 images about 95 % hold it."""
    rng, covered = np.random.default_rng(1), 0
    for _ in range(200):
        difference = rng.normal(0.1, 0.3, 60)
        low, high = interval(tuple(difference))
        covered += low <= 0.1 <= high
    assert 180 <= covered <= 198


def test_scores_of_images_are_folded_and_complete(results):
    """Identity."""
    a = record(results, "a", [31.0, 32.5])
    text = per_image({"a": a}, "Set5", 3, "drrn").data
    assert text.startswith("<details><summary>Set5 ×3, PSNR by image under drrn")
    assert "image1" in text
    assert "32.500" in text
    assert "no record has been scored so" in per_image({"a": a}, "Set14", 3, "drrn").data


def test_missing_records_are_named(results):
    """Bad input: a sentence, no crash."""
    record(results, "a", [31.0])
    assert "There is no record of nothing" in compared("a", "nothing", "drrn")[0].data
    assert "There is none yet" in other_runs("drrn", ("drrn",)).data


def test_a_trained_network_compares_with_bicubic(results):
    """Identity: the mean difference is the difference of means; a page finds both by name."""
    record(results, "drrn_b1u3_w32", [33.0, 31.4, 30.2, 32.3, 29.9]), record(results, "bicubic", [32.0, 30.5, 29.0, 31.9, 29.5])
    ours, plain = find_record("drrn_b1u3_w32"), find_record("bicubic")
    mean, low, high, images = paired(ours, plain, "Set5", 3, "drrn")
    assert mean == pytest.approx(ours.mean("Set5", 3, "psnr", "drrn") - plain.mean("Set5", 3, "psnr", "drrn"))
    assert low < mean < high
    assert images == 5
