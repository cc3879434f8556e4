"""Records: provenance, damage, scores; the committed ones and fresh ones."""

import pandas as pd
import pytest
from pages import ledger as ledger_pages
from pages import networks as pages
from pages import records as record_pages
from PIL import Image

from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.papers import get_experiment
from srlib.records.provenance import ROOT
from srlib.records.record import Record, find_record, find_records, record_folder
from srlib.records.run import add_scores, run_experiment
from srlib.training.checkpoint import load_tensors, save_tensors

COMMITTED = find_records(ROOT / "results")


@pytest.fixture
def record(results):
    """A tiny run on the stand-in images, scored."""
    done = run_experiment(get_experiment("drrn_b1u1_w4"), budget=0.0005, data="SampleTrain", device="cpu", progress=False)
    return add_scores(done, open_images("Sample"), (3,), ("drrn",), metrics=("psnr",), progress=False)


def test_a_record_says_how_it_came_to_be(record, results):
    """Its place, and everything that a reader needs to judge the number."""
    assert record.folder == results / "drrn" / "drrn_b1u1_w4" / "seed0_fast_0.0005"
    assert record_folder(get_experiment("drrn_b1u9"), 2, root=results) == results / "drrn" / "drrn_b1u9" / "seed2"
    info = record.info
    for key in ("recipe", "seed", "budget", "iterations", "data_sha256", "device", "precision", "seconds", "commit", "date"):
        assert info[key] not in ("", None), key
    assert info["environment"]["torch"]
    assert info["weights_sha256"] == load_tensors(record.folder / "weights.safetensors")[1]["sha256"]
    assert find_record("drrn_b1u1_w4").info == info
    assert len(record.curve) >= 1


def test_means_are_computed_from_the_images(record):
    """Identity; and what was not scored is None, not a number."""
    assert record.mean("Sample", 3, "psnr", "drrn") == pytest.approx(record.scores.psnr.mean())
    assert len(record.scores) == 4
    assert record.mean("Sample", 2, "psnr", "drrn") is None
    assert record.mean("Sample", 3, "ifc", "drrn") is None


def test_sets_that_are_scored_one_after_the_other_are_all_kept(record, tmp_path, photo):
    """`train --score Set5 Set14` kept the last set alone, since scores that had been read once were never read again."""
    (tmp_path / "mine").mkdir()
    Image.fromarray(photo).save(tmp_path / "mine" / "cat.png")
    before = Record(record.folder)
    assert set(before.scores.dataset) == {"Sample"}
    for protocol in ("drrn", "vdsr"):
        add_scores(before, open_images(tmp_path / "mine"), (3,), (protocol,), metrics=("psnr",), progress=False)
    kept = Record(record.folder).scores
    assert len(kept) == 4 + 2
    assert set(kept[kept.dataset != "Sample"].protocol) == {"drrn", "vdsr"}


def test_a_metric_that_was_left_out_is_added(record):
    """PSNR first and SSIM later are one row for an image, and what stood there is as it was."""
    before = record.scores
    done = add_scores(record, open_images("Sample"), (3,), ("drrn",), metrics=("psnr", "ssim"), progress=False)
    columns = ["dataset", "scale", "image", "protocol", "psnr"]
    pd.testing.assert_frame_equal(done.scores[columns], before[columns])
    assert done.scores.ssim.between(0, 1).all()
    assert done.scores.ifc.isna().all()


def test_a_finished_run_is_not_run_again_nor_overwritten(record):
    """The same call returns the record; another precision in the same place is refused; another budget has another place."""
    experiment, before = get_experiment("drrn_b1u1_w4"), record.info
    options = {"data": "SampleTrain", "device": "cpu", "progress": False}
    assert run_experiment(experiment, budget=0.0005, **options).info == before
    other = {"fp32": "bf16", "bf16": "fp32"}[before["precision"]]
    with pytest.raises(InputError, match=rf"holds another finished run \({{'precision': '{before['precision']}'}}\)"):
        run_experiment(experiment, budget=0.0005, precision=other, **options)
    longer = run_experiment(experiment, budget=0.001, **options)
    assert record.folder.exists()
    assert find_record("drrn_b1u1_w4").folder == longer.folder


def test_other_data_under_the_same_name_is_other_data(results, tmp_path, photo):
    """A run is known by the digest of its images, not by the folder's name."""
    experiment, options = get_experiment("drrn_b1u1_w4"), {"budget": 0.0005, "device": "cpu", "progress": False}
    for name, image in (("a", photo), ("b", photo[::-1])):
        (tmp_path / name / "train").mkdir(parents=True)
        Image.fromarray(image).save(tmp_path / name / "train" / "x.png")
    run_experiment(experiment, data=str(tmp_path / "a" / "train"), **options)
    with pytest.raises(InputError, match="holds another finished run"):
        run_experiment(experiment, data=str(tmp_path / "b" / "train"), **options)
    (tmp_path / "Set5").mkdir()
    Image.fromarray(photo).save(tmp_path / "Set5" / "x.png")
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
