"""The page of records: commands that make a record again."""

import shlex
from itertools import pairwise

from srlib.__main__ import _parser
from srlib.record_pages import command, records
from srlib.records import find_records


def test_the_command_of_a_record_asks_for_the_same_run():
    """The program's own parser reads from it the experiment, recipe, budget, seed and precision of `record.json`."""
    trained = [record for record in find_records() if record.info["kind"] == "training"]
    assert trained
    for record in trained:
        python, *words = shlex.split(command(record))
        assert (python, words[:2]) == ("python", ["-m", "srlib"])
        options, info = _parser().parse_args(words[2:]), record.info
        assert options.experiment == info["experiment"]
        assert (options.recipe, options.budget, options.seed) == (info["recipe"]["name"], info["budget"], info["seed"])
        assert options.precision == info["precision"]
        assert options.score == list(record.scores.dataset.unique())


def test_every_record_is_on_the_page_once():
    """Each folder of results/ has its files to download there, in the order of the papers."""
    text = records()
    places = [text.index(f"{record.folder.parts[-2]}/{record.folder.name}/record.json") for record in find_records()]
    assert places
    assert all(a < b for a, b in pairwise(places))
