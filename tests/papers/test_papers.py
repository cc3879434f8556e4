"""The transcription against the texts, and what is known of it: contradictions, protocols, experiments."""

import re
from dataclasses import replace

import pytest
from pages import networks as pages
from pages import training as training_pages

from srlib.errors import InputError
from srlib.ledger.rows import KINDS
from srlib.papers import PAPERS, TOLERANCES, checks, claim, claims, drrn, get_experiment
from srlib.papers.checks import contradictions, holding
from srlib.papers.published import GRADES, items
from srlib.papers.transcribe import transcribe
from srlib.protocol import PROTOCOLS
from srlib.records.provenance import ROOT
from srlib.records.record import write_record


@pytest.mark.parametrize("paper", PAPERS)
def test_the_committed_numbers_are_those_of_the_text(papers, paper):
    """Witness: the papers' texts, transcribed again."""
    fresh = transcribe(paper, papers).astype(str).to_dict("records")
    committed = [{key: "" if v is None else str(v) for key, v in vars(claim).items()} for claim in claims(paper)]
    assert fresh == committed


@pytest.mark.parametrize(("paper", "own", "bicubic"), [("drrn", 85, 33), ("dsrn", 48, 36), ("rlcsc", 45, 33), ("drn", 17, 10)])
def test_the_tables_are_complete(paper, own, bicubic):
    """By hand: DRRN 2 x 24 + 18 + 9 (its VDSR's IFC) + 5 + 5 (Figure 6, Table 4); DSRN 12 x 3 + 12; RL-CSC 24 + 9 + 8 + 4
    (Figure 7); DRN 7 x 2 + 3; and a bicubic column each."""
    assert sum(c.kind == "measured" for c in claims(paper)) == own
    assert sum(c.experiment == "bicubic" and c.where.startswith("Table") for c in claims(paper)) == bicubic


@pytest.mark.parametrize("paper", PAPERS)
def test_every_claim_is_usable(paper):
    """Identity: one id each, a score that is a number, a known protocol or none, an experiment for what the paper measured."""
    rows = claims(paper)
    assert len({c.id for c in rows}) == len(rows)
    for c in rows:
        assert c.paper == paper
        assert c.protocol in {*PROTOCOLS, ""}
        assert c.scale in {2, 3, 4, None}
        assert c.kind in KINDS
        if c.kind in ("measured", "quoted") and c.metric in TOLERANCES:
            assert c.number > 0
        if c.kind == "measured":
            assert get_experiment(c.experiment)


@pytest.mark.parametrize(
    ("paper", "material", "misprint", "slip"), [("drrn", 4, 1, 7), ("dsrn", 6, 0, 5), ("rlcsc", 3, 3, 4), ("drn", 6, 7, 10)]
)
def test_contradictions_are_graded_and_slips_touch_orders_alone(paper, material, misprint, slip):
    """By hand, each against the text; a slip touches claims of order alone, all others that hold touch theirs."""
    grades = [c.grade for c in contradictions(paper)]
    assert [grades.count(grade) for grade in GRADES] == [material, misprint, slip]
    assert checks.MODULES[paper].HOLDS.keys() <= {c.id for c in contradictions(paper)}
    touched = {(name, c.grade) for c in contradictions(paper) for name in c.claims}
    assert holding(paper).keys() == {name for name, grade in touched if grade != "slip" or ".order." in name}


@pytest.mark.parametrize("paper", ["drrn", "rlcsc", "drn"])
def test_a_quoted_score_has_a_protocol_only_where_one_is_proven(paper):
    """By hand: bicubic rows to the digit, VDSR's by its weights, DRRN's by its code; on Manga109 nothing was computed."""
    proven = {c.method for c in claims(paper) if c.kind == "quoted" and c.metric in TOLERANCES and c.protocol}
    assert proven <= {"bicubic", "vdsr", "drrn"}
    assert not any(c.protocol for c in claims(paper) if c.dataset == "Manga109")


def test_the_challenge_is_not_scored_on_the_public_images():
    """Witness: Section 5.1 has the provided validation set; the five others of Table 2 have the challenge's hidden test set."""
    rows = [c for c in claims("dsrn") if c.where == "Table 2" and c.metric == "psnr"]
    assert [c.dataset for c in rows] == 12 * ["DIV2K_valid"] + 15 * ["DIV2K_test"]
    assert all((c.kind == "quoted") == (c.dataset == "DIV2K_test") for c in rows)


def test_all_tables_and_figures_are_listed_and_have_a_page(papers):
    """Witness: the captions in the texts: 44 tables and figures; and one figure that DRN only announces."""
    for paper in PAPERS:
        lines = (papers / f"{paper}.txt").read_text().splitlines()
        captions = {f"{paper}.txt:{n}" for n, line in enumerate(lines, 1) if re.match(r"(Figure|Fig\.|Table) \d+[.:]", line)}
        assert {item.source for item in items(paper) if item.name != "Figure ??"} == captions
        assert {item.name for item in items(paper)} <= {c.where for c in claims(paper)}
        assert all((ROOT / "notebooks" / f"{item.page}.py").exists() for item in items(paper))
    assert sum(len(items(paper)) for paper in PAPERS) == 45


@pytest.mark.parametrize(
    ("printed", "ours", "alike"),
    [("33.93", 33.9251, True), ("33.93", 33.9249, False), ("0.9299", 0.92988, True), ("3.580", 3.5791, False)],
)
def test_printed_alike_compares_printed_digits(printed, ours, alike):
    """By hand, with as many digits as the paper prints."""
    assert replace(claim("drrn.t2.set5.x3.drrn_b1u9.psnr"), value=printed).printed_alike(ours) == alike


def test_experiments_are_figure_6_and_can_be_spelt():
    """Witness: Section 4.3: B or U fixed to 3 and the other from 1 to 4, three structures of 52 layers, and B1U9."""
    assert {f"b{B}u{U}" for B, U in drrn.GRID} == {
        *("b1u3", "b2u3", "b3u3", "b4u3", "b3u1", "b3u2", "b3u4", "b1u25", "b17u1", "b3u8", "b1u9")
    }
    narrow = get_experiment("drrn_b2u3_w16")
    assert narrow.arguments == {"B": 2, "U": 3, "width": 16}
    for name in ("drrn_b0u3", "drrn", "drrn_b1u9_w", "edsr"):
        with pytest.raises(InputError, match=f"'{name}' is unknown: .*`python -m srlib list` names all"):
            get_experiment(name)


def test_the_cpu_profile_says_what_was_trained_and_what_was_not(trained):
    """By hand: a gain over bicubic where both are scored; which recipe; nothing, where there is no record."""
    assert training_pages.cpu_profile().count("not run") == 4
    assert "Trained on nothing yet." in training_pages.cpu_profile()
    record = trained("drrn_b1u3_w32", 32.75, recipe="first")
    scores = record.scores.assign(psnr=30.25)
    write_record(record.folder.parents[2] / "baselines/bicubic/seed0", {"kind": "evaluation", "experiment": "bicubic"}, scores)
    text = training_pages.cpu_profile()
    line = next(line for line in text.splitlines() if "`drrn_b1u3_w32`" in line)
    assert "19,008 | 12,000 iterations, seed 0, 1 min | `first` | `drrn` | 32.75 (+2.50) | –" in line
    assert text.count("not run") == 3
    assert text.endswith("Trained on a CPU.")


@pytest.mark.parametrize("page", [pages.models, pages.speed, training_pages.recipes])
def test_generated_pages_are_tables(page):
    """Each is Markdown with a table; one size is unlike the printed one."""
    text = page()
    assert "\n| --- |" in text
    assert text.count("≠ 784K") == (page is pages.models)
