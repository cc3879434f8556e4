"""The page of records: commands that make a record again."""

import shlex
from itertools import pairwise

import pytest
from pages.records import command, records

from srlib.__main__ import _parser
from srlib.records.record import find_records


@pytest.fixture
def made(trained):
    """Records of several papers, recipes, budgets, seeds and sets, written in no order."""
    trained("rlcsc_k5_n32_m32", 32.0, curve=(31.0, 32.0))
    trained("drrn_b1u9_w16", 32.0, 1, 0.15, "first", dataset=("Set5", "Set14"))
    trained("vdsr_w16", 32.0, recipe="adam")
    trained("drrn_b1u9", 33.9, 2, recipe="published")
    return find_records()


def test_the_command_of_a_record_asks_for_the_same_run(made):
    """The program's own parser reads from it the experiment, recipe, budget, seed and precision of `record.json`."""
    assert len(made) == 4
    for record in made:
        python, *words = shlex.split(command(record))
        assert (python, words[:2]) == ("python", ["-m", "srlib"])
        options, info = _parser().parse_args(words[2:]), record.info
        assert options.experiment == info["experiment"]
        assert (options.recipe, options.budget, options.seed) == (info["recipe"]["name"], info["budget"], info["seed"])
        assert options.precision == info["precision"]
        assert options.score == list(record.scores.dataset.unique())


def test_every_record_is_on_the_page_once(made):
    """Each folder of results/ has its files to download there, in the order of the papers."""
    text = records()
    places = [text.index(f"{record.folder.parts[-2]}/{record.folder.name}/record.json") for record in made]
    assert all(a < b for a, b in pairwise(places))
    assert [record.folder.parts[-2] for record in made] == ["vdsr_w16", "drrn_b1u9", "drrn_b1u9_w16", "rlcsc_k5_n32_m32"]
    assert text.count("curve.csv <") == 1
