"""Records: provenance, damage, scores, merging; the committed ones and fresh ones."""

import json
import shutil

import pandas as pd
import pytest
from pages import ledger as ledger_pages
from pages import networks as pages
from pages import records as record_pages
from PIL import Image

from srlib.__main__ import main
from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.papers import get_experiment
from srlib.protocol import COLUMNS
from srlib.records.merge import merge
from srlib.records.provenance import ROOT
from srlib.records.record import Record, find_record, find_records, join_scores, record_folder, write_scores
from srlib.records.run import add_scores, run_experiment
from srlib.training.checkpoint import load_tensors, save_tensors

COMMITTED = find_records(ROOT / "results")
TINY = get_experiment("drrn_b1u1_w4")
OPTIONS = {"budget": 0.0005, "data": "SampleTrain", "device": "cpu", "progress": False}


@pytest.fixture
def record(results):
    """A tiny run on the stand-in images, scored."""
    run = run_experiment(TINY, **OPTIONS)
    return add_scores(run, open_images("Sample"), (3,), ("drrn",), metrics=("psnr",), progress=False)


@pytest.fixture
def tiny(tmp_path):
    """A function that trains the tiny network below a folder and returns its record."""

    def train(name, **options):
        return run_experiment(TINY, tmp_path / name, **OPTIONS | options)

    return train


def test_a_record_says_how_it_came_to_be(record, results):
    """Its place, everything that a reader needs to judge the number, and means, which are computed from the images."""
    assert record.folder == results / "drrn" / "drrn_b1u1_w4" / "seed0_fast_0.0005"
    assert record_folder(get_experiment("drrn_b1u9"), 2, root=results) == results / "drrn" / "drrn_b1u9" / "seed2"
    info = record.info
    for key in ("recipe", "seed", "budget", "iterations", "data_sha256", "device", "precision", "seconds", "commit", "date"):
        assert info[key] not in ("", None), key
    assert info["environment"]["torch"]
    assert info["weights_sha256"] == load_tensors(record.folder / "weights.safetensors")[1]["sha256"]
    assert find_record("drrn_b1u1_w4").info == info
    assert len(record.curve) >= 1
    assert record.mean("Sample", 3, "psnr", "drrn") == pytest.approx(record.scores.psnr.mean())
    assert len(record.scores) == 4
    assert record.mean("Sample", 2, "psnr", "drrn") is None  # what was not scored is no number
    assert record.mean("Sample", 3, "ifc", "drrn") is None


def test_scores_that_are_added_leave_the_others_as_they_were(record, tmp_path, photo):
    """Sets one after the other, from a record whose scores had been read before; then a metric, in the rows that are there."""
    (tmp_path / "mine").mkdir()
    Image.fromarray(photo).save(tmp_path / "mine" / "cat.png")
    before = Record(record.folder)
    assert set(before.scores.dataset) == {"Sample"}
    for protocol in ("drrn", "vdsr"):
        add_scores(before, open_images(tmp_path / "mine"), (3,), (protocol,), metrics=("psnr",), progress=False)
    scores = Record(record.folder).scores
    assert len(scores) == 4 + 2
    assert set(scores[scores.dataset != "Sample"].protocol) == {"drrn", "vdsr"}
    scores = add_scores(record, open_images("Sample"), (3,), ("drrn",), metrics=("psnr", "ssim"), progress=False).scores
    sample = scores[scores.dataset == "Sample"].reset_index(drop=True)
    columns = ["dataset", "scale", "image", "protocol", "psnr"]
    pd.testing.assert_frame_equal(sample[columns], before.scores[columns])
    assert sample.ssim.between(0, 1).all()
    assert scores.ifc.isna().all()


def test_joined_scores_keep_the_first_and_a_mean_wants_every_image(tmp_path):
    """By hand: 30 stands before 31; what only the second table has is added; IFC of one image of two has no mean."""
    nan = float("nan")
    ours = pd.DataFrame([["Set5", 3, "a", "drrn", 30.0, nan, 3.5], ["Set5", 3, "b", "drrn", 32.0, nan, nan]], columns=COLUMNS)
    others = pd.DataFrame([["Set5", 3, "a", "drrn", 31.0, 0.9, nan], ["Set5", 3, "b", "drrn", nan, 0.7, nan]], columns=COLUMNS)
    write_scores(tmp_path, join_scores(ours, others))
    means = {metric: value for (*_, metric), value in Record(tmp_path).means.items()}
    assert means == {"psnr": 31.0, "ssim": pytest.approx(0.8)}


def test_a_finished_run_is_not_run_again_nor_overwritten(record):
    """The same call returns the record; another precision in the same place is refused; another budget has another place."""
    before = record.info
    assert run_experiment(TINY, **OPTIONS).info == before
    other = {"fp32": "bf16", "bf16": "fp32"}[before["precision"]]
    with pytest.raises(InputError, match=rf"holds another finished run \({{'precision': '{before['precision']}'}}\)"):
        run_experiment(TINY, precision=other, **OPTIONS)
    longer = run_experiment(TINY, **OPTIONS | {"budget": 0.001})
    assert record.folder.exists()
    assert find_record("drrn_b1u1_w4").folder == longer.folder


def test_other_data_under_the_same_name_is_other_data(results, tmp_path, photo):
    """A run is known by the digest of its images, not by the folder's name."""
    for name, image in (("a/train", photo), ("b/train", photo[::-1]), ("Set5", photo)):
        (tmp_path / name).mkdir(parents=True)
        Image.fromarray(image).save(tmp_path / name / "x.png")
    run_experiment(TINY, **OPTIONS | {"data": str(tmp_path / "a" / "train")})
    with pytest.raises(InputError, match="holds another finished run"):
        run_experiment(TINY, **OPTIONS | {"data": str(tmp_path / "b" / "train")})
    assert open_images(tmp_path / "Set5").name != "Set5"


def test_damage_is_named(record):
    """A record that cannot be read, and weights that are not the record's."""
    tensors, _ = load_tensors(record.folder / "weights.safetensors")
    save_tensors(record.folder / "weights.safetensors", {name: t + 1 for name, t in tensors.items()}, {})
    with pytest.raises(InputError, match=r"weights.safetensors is not the file its record describes"):
        Record(record.folder).model()
    (record.folder / "record.json").write_text("{")
    with pytest.raises(InputError, match=r"record.json is missing or damaged"):
        _ = Record(record.folder).info


@pytest.mark.slow
def test_records_from_elsewhere_are_taken_in(tiny, tmp_path, results):
    """Behaviour: a finished record, the same again with scores, an unfinished one that goes on here."""
    away = tiny("away")
    assert merge(tmp_path / "away")[0].endswith("taken in (finished)")
    here = find_records(results)[0]
    assert here.info == away.info
    here.model()
    add_scores(away, open_images("Sample"), (3,), ("drrn",), metrics=("psnr",), progress=False)
    assert merge(tmp_path / "away")[0].endswith("the same run, 4 scores added")
    assert merge(tmp_path / "away")[0].endswith("the same run, 0 scores added")
    assert len(Record(here.folder).scores) == 4

    part = tiny("part", seed=1, minutes=0)
    assert not part.info["finished"]
    assert "1 of 10 iterations" in merge(tmp_path / "part")[0]
    assert merge(tmp_path / "part")[0].endswith("the same run, 0 scores added")
    whole = tiny("whole", seed=1)
    merged = run_experiment(TINY, None, 1, **OPTIONS)
    assert merged.info["weights_sha256"] == whole.info["weights_sha256"]  # it went on, bit for bit
    assert merge(tmp_path / "part")[0].split(": ")[1].startswith("kept, it is as far (10 iterations)")


@pytest.mark.slow
def test_what_cannot_be_taken_in_is_named(tiny, tmp_path, results):
    """Weights that are not the record's; a finished run that differs; an unfinished one without its checkpoint."""
    tiny("one"), tiny("two", data="Sample")
    merge(tmp_path / "one")
    with pytest.raises(InputError, match="holds another finished run than"):
        merge(tmp_path / "two")
    broken = tiny("broken", seed=2)
    path = broken.folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"weights.safetensors is damaged"):
        merge(tmp_path / "broken")
    part = tiny("part", seed=3, minutes=0)
    (part.folder / "checkpoint.safetensors").unlink()
    with pytest.raises(InputError, match=r"checkpoint.safetensors does not exist"):
        merge(tmp_path / "part")
    assert len(find_records(results)) == 1


@pytest.mark.slow
def test_score_adds_to_a_record(tiny, results, tmp_path, capsys):
    """Behaviour: one more set, in the protocols asked for; an unfinished run is refused."""
    done = tiny("done")
    assert main(["score", str(done.folder), "--data", "Sample", "--protocol", "drrn", "vdsr"]) == 0
    assert "Sample x3:" in capsys.readouterr().out
    assert set(Record(done.folder).scores.protocol) == {"drrn", "vdsr"}
    part = tiny("part", seed=1, minutes=0)
    assert main(["score", str(part.folder), "--data", "Sample"]) == 2
    assert "is not finished" in capsys.readouterr().err


@pytest.mark.parametrize("committed", COMMITTED, ids=lambda r: "/".join(r.folder.parts[-3:]))
def test_committed_records_hold(committed):
    """Provenance: hashes, a clean commit, a finished run, scores that are there."""
    assert not committed.info["commit"].endswith("+")
    assert len(committed.info["commit"]) == 40
    assert len(committed.scores)
    if committed.info["kind"] == "training":
        committed.model()
        assert committed.info["finished"]
        assert all((session.get("utilisation") or 0) <= 1 for session in committed.info.get("sessions", ()))


def test_the_readmes_scoreboard_is_the_records():
    """Identity: `make scoreboard` would change nothing."""
    text = (ROOT / "README.md").read_text()
    assert ledger_pages.insert_scoreboard(text) == text


def test_generated_pages_stand_without_records(results):
    """The first build of a fork has nothing to show, and shows that."""
    assert "| DRRN | 0 of 12 | 85 | 0 | 0 | 0 | 0 | 85 |" in ledger_pages.scoreboard()
    assert record_pages.records() == "There is no record yet."
    assert pages.protocols().count("\n") == 7


def test_merge_takes_no_odd_record_and_goes_on(tiny, results, tmp_path):
    """A seed or recipe that leads elsewhere, values of other kinds, damaged scores: named, and the good one is taken in."""
    good = tiny("here/z")
    for name, changes in {
        "path": {"seed": "0/../../../../odd"},
        "negative": {"seed": -1},
        "recipe": {"recipe": good.info["recipe"] | {"name": "../../x"}},
        "null": {"recipe": None},
        "budget": {"budget": "x"},
    }.items():
        folder = tmp_path / "here" / name
        shutil.copytree(good.folder, folder)
        (folder / "record.json").write_text(json.dumps(good.info | changes))
    shutil.copytree(good.folder, tmp_path / "here" / "scores")
    (tmp_path / "here" / "scores" / "scores.csv").write_text("x,y\n1,2\n")
    failures = []
    outcomes = merge(tmp_path / "here", failures)
    assert len(outcomes) == 1
    assert outcomes[0].endswith("taken in (finished)")
    assert len(failures) == 6
    assert [record.folder.relative_to(results).parts[0] for record in find_records(results)] == ["drrn"]
    assert not list(tmp_path.glob("odd*"))
