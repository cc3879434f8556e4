"""`evaluate` and `score` as a user meets them: models, finished results, given LR pictures, and what cannot be scored."""

import json
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from srlib.datasets import open_images
from srlib.errors import InputError
from srlib.images import imresize, modcrop, read_image, rgb_to_luma, round_uint8
from srlib.protocol import PROTOCOLS, score_images
from srlib.records.record import Record, find_records
from srlib.records.run import add_scores


@pytest.fixture
def bicubic(folder):
    """The folder `theirs`: the bicubic picture of each image of `mine` at scale 3, named as EDSR names it."""
    (folder.parent / "theirs").mkdir()
    for name in ("a", "b"):
        hr = modcrop(read_image(f"mine/{name}.png"), 3)
        Image.fromarray(imresize(imresize(hr, 1 / 3), 3)).save(f"theirs/{name}_x3_SR.png")
    return folder.parent / "theirs"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_evaluate_writes_a_row_an_image_and_the_mean_last(folder, run, protocol):
    """Identity: the file holds what Protocol.evaluate returns, to the last bit."""
    run("evaluate", "bicubic", "--data", "mine", "--scale", 2, "--protocol", protocol, "--csv", "scores.csv")
    table = pd.read_csv("scores.csv")
    assert list(table.columns) == ["image", "psnr", "ssim", "ifc"]
    assert list(table.image) == ["a", "b", "mean"]
    expected = PROTOCOLS[protocol].evaluate(read_image(folder / "b.png"), 2)
    np.testing.assert_allclose(table.iloc[1, 1:].astype(float), expected, rtol=1e-15)
    np.testing.assert_allclose(table.iloc[2, 1:].astype(float), table.iloc[:2, 1:].mean().astype(float), rtol=1e-15)


def test_evaluate_speaks_json_and_csv_and_skips_metrics(folder, run):
    """What was not asked for is null; `--csv -` is for pipes."""
    answer = json.loads(run("evaluate", "bicubic", "--data", folder, "--metrics", "psnr,ssim", "--json").out)
    assert answer["protocol"] == "drrn"
    assert answer["mean"]["ifc"] is None
    assert answer["images"][0]["psnr"] > 20
    csv = run("evaluate", "bicubic", "--data", folder, "--metrics", "psnr", "--csv", "-").out
    assert csv.startswith("image,psnr,ssim,ifc\na,")


def test_finished_results_are_scored_like_a_model(bicubic, run):
    """Identity: bicubic pictures from files have the numbers of bicubic under a protocol that rounds; CSV and JSON alike."""
    options = ("--data", "mine", "--protocol", "rgb_floaty", "--csv", "-")
    assert run("evaluate", "--results", "theirs", *options).out == run("evaluate", "bicubic", *options).out
    answer = json.loads(run("evaluate", "--results", bicubic, "--data", "mine", "--metrics", "psnr", "--json").out)
    assert answer["results"] == str(bicubic)
    hr, sr = read_image("mine/b.png"), read_image("theirs/b_x3_SR.png")
    assert answer["images"][1]["psnr"] == PROTOCOLS["drrn"].score(hr, sr, 3, ("psnr",)).psnr
    run("evaluate", "--results", bicubic, "theirs", "--data", "mine", "--metrics", "psnr", "--csv", "both.csv")
    both = pd.read_csv("both.csv")
    assert list(both.columns) == ["results", "image", "psnr", "ssim", "ifc"]
    assert list(both.results) == [str(bicubic)] * 3 + ["theirs"] * 3
    assert list(both.psnr[:3]) == list(both.psnr[3:])


def test_results_that_do_not_match_are_listed(bicubic, run):
    """An image without a result: status 2, the rest is scored; a file of no image: a note."""
    (bicubic / "b_x3_SR.png").rename(bicubic / "b_x2_SR.png")  # another scale is no matter
    (bicubic / "b_x2_SR.png").with_name("c_x3.png").write_bytes(b"")
    (bicubic / "more").mkdir()
    printed = run("evaluate", "--results", "theirs", "--data", "mine", "--csv", "s.csv", status=2)
    assert "theirs has no file at scale 3 of b: call them b.png or bx3.png" in printed.err
    assert "theirs has files of no image, left out: c_x3.png" in printed.err
    assert "theirs has sub-folders, left out: more" in printed.err
    assert list(pd.read_csv("s.csv").image) == ["a", "mean"]
    assert list(pd.read_csv("s.csv").psnr) == pytest.approx([run_psnr("a")] * 2)


def run_psnr(name):
    return PROTOCOLS["drrn"].score(read_image(f"mine/{name}.png"), read_image(f"theirs/{name}_x3_SR.png"), 3, ("psnr",)).psnr


def test_a_folder_without_results_and_a_full_disk_cost_no_numbers(bicubic, run, monkeypatch):
    """What is finished is reported: of the other folders, and on the screen where the file cannot be written. JSON is JSON."""
    answer = json.loads(run("evaluate", "--results", "theirs", "none", "--data", "mine", "--json", status=2).out)
    assert [len(part["images"]) for part in answer] == [2, 0]
    assert answer[1]["failures"] == ["none does not exist: give a folder of images."]
    assert "failures" not in answer[0]

    def refuse(path, content):
        raise InputError(f"{path} cannot be written (No space left on device).")

    monkeypatch.setattr("srlib.cli.scoring.write_atomically", refuse)
    printed = run("evaluate", "--results", "theirs", "--data", "mine", "--metrics", "psnr", "--csv", "s.csv", status=2)
    assert "mean" in printed.out
    assert "s.csv cannot be written" in printed.err


def test_a_folder_called_like_a_dataset_is_not_taken_for_it(tmp_path, run, monkeypatch, photo):
    """The dataset is meant, and a note says how the folder is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Sample").mkdir()
    Image.fromarray(photo).save("Sample/mine.png")
    words = ("--metrics", "psnr", "--csv", "-")
    printed = run("evaluate", "bicubic", "--data", "Sample", *words)
    assert "Sample is the dataset here; for the folder of that name give ./Sample" in printed.err
    assert "astronaut," in printed.out
    assert run("evaluate", "bicubic", "--data", "./Sample", *words).out.splitlines()[1].startswith("mine,")
    assert (open_images(Path("Sample")).name, open_images(Path("Sample")).names) == ("./Sample", ("mine",))


def test_grey_of_a_colour_original_is_luma_or_refused(bicubic, run):
    """Luma has the number of the RGB picture, to its rounding; grey as PIL makes it, of 0..255, would be 8 dB off."""
    sr = read_image("theirs/b_x3_SR.png")
    options = ("evaluate", "--results", "theirs", "--data", "mine", "--metrics", "psnr", "--csv", "-")
    printed = run(*options).out
    Image.fromarray(round_uint8(rgb_to_luma(sr))).save("theirs/b_x3_SR.png")
    assert run(*options).out == printed
    Image.fromarray(sr).convert("L").save("theirs/b_x3_SR.png")
    refusal = run(*options, status=2)
    assert "b_x3_SR.png: The result is grey of 0..255, but luma of 16..235 is wanted for this original" in refusal.err
    assert [line.split(",")[0] for line in refusal.out.splitlines()] == ["image", "a", "mean"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_saved_pictures_have_the_numbers_that_were_printed(folder, run, protocol):
    """Identity: what `--save` writes, `--results` scores alike (IFC under `lapsrn` is of another degradation)."""
    options = ("--data", "mine", "--protocol", protocol, "--metrics", "psnr,ssim", "--csv", "-")
    printed = run("evaluate", "bicubic", *options, "--save", "saved").out
    assert run("evaluate", "--results", "saved", *options).out == printed


def test_a_picture_that_cannot_be_saved_keeps_its_score(folder, run, monkeypatch):
    """A disk that is full is named at the end, status 2; a folder that cannot be made, before anything is computed."""

    def refuse(path, content):
        raise InputError(f"{path} cannot be written (No space left on device).")

    options = ("evaluate", "bicubic", "--data", "mine", "--metrics", "psnr", "--csv", "-", "--save")
    assert "a.png is not a folder" in run(*options, "mine/a.png/x", status=2).err
    with monkeypatch.context() as patch:
        patch.setattr("srlib.cli.scoring.write_atomically", refuse)
        printed = run(*options, "saved", status=2)
    assert printed.err.count("cannot be written (No space left on device)") == 2
    assert printed.out == run(*options, "saved").out


def test_a_link_that_leads_nowhere_is_named(folder, run):
    """It is a picture that is missing, not none."""
    (folder / "c.png").symlink_to("nowhere")
    printed = run("evaluate", "bicubic", "--data", "mine", "--metrics", "psnr", "--csv", "-", status=2)
    assert "mine/c.png does not exist" in printed.err
    assert len(printed.out.splitlines()) == 4


def test_given_lr_pictures_are_marked(folder, run):
    """Their scores, in the table and the JSON, carry the folder; sizes are checked, and the rest goes on."""
    (folder.parent / "lr").mkdir()
    for name in ("a", "b"):
        Image.fromarray(PROTOCOLS["rgb_floaty"].degrade(read_image(f"mine/{name}.png"), 2)).convert("RGB").save(
            f"lr/{name}x2.png"
        )
    options = ("--data", "mine", "--scale", 2, "--protocol", "rgb_floaty", "--metrics", "psnr")
    given = json.loads(run("evaluate", "bicubic", "--lr", "lr", *options, "--json").out)
    own = json.loads(run("evaluate", "bicubic", *options, "--json").out)
    assert given["lr"] == "lr"
    assert given["images"] == own["images"]
    Image.new("RGB", (9, 9)).save("lr/bx2.png")
    printed = run("evaluate", "bicubic", "--lr", "lr", *options, "--csv", "-", status=2)
    assert printed.out.splitlines()[0] == "lr,image,psnr,ssim,ifc"
    assert len(printed.out.splitlines()) == 3
    assert "these scores are not rgb_floaty's own" in printed.err
    assert "bx2.png: The LR image gives 18 x 18 pixels" in printed.err


@pytest.mark.parametrize(
    ("mode", "size", "colour", "said", "scored"),
    [
        ("CMYK", (90, 90), 0, "CMYK", ()),
        ("RGB", (40, 90), (9, 99, 3), "at least 72 pixels a side", ("psnr", "ssim")),
        ("RGB", (12, 90), (9, 99, 3), "at least 11 pixels", ("psnr",)),
        ("RGB", (90, 90), (9, 99, 3), "undefined for a flat image", ("psnr", "ssim")),
        ("RGB", (3, 90), 0, "leaves nothing to score", ()),
    ],
)
def test_a_picture_that_cannot_be_scored_does_not_end_the_others(folder, run, mode, size, colour, said, scored):
    """It is named at the end, status 2; of a small one what can be computed stands in the table."""
    Image.new(mode, size, colour).save("mine/odd.tif")
    printed = run("evaluate", "bicubic", "--data", "mine", "--scale", 2, "--csv", "s.csv", status=2)
    assert "mine/odd.tif" in printed.err
    assert said in printed.err
    table = pd.read_csv("s.csv").set_index("image")
    assert np.isfinite(table.loc[["a", "b", "mean"], "ifc"]).all()
    assert tuple(table.columns[table.loc["odd"].notna()] if "odd" in table.index else ()) == scored
    assert "ifc is the mean of 2 of 3 images" in printed.err
    assert ("psnr is the mean of 2 of 3 images" in printed.err) == ("psnr" not in scored)


def test_an_infinite_score_is_no_missing_one(tmp_path, run):
    """Bicubic of one colour is exact: PSNR is infinite, in JSON as text that `float` reads."""
    Image.new("RGB", (40, 40), (9, 99, 9)).save(tmp_path / "a.webp", lossless=True)
    answer = json.loads(run("evaluate", "bicubic", "--data", tmp_path, "--scale", 2, "--metrics", "psnr", "--json").out)
    assert float(answer["mean"]["psnr"]) == float("inf")
    assert answer["mean"]["ssim"] is None


def test_rows_have_names_of_their_own(folder, run):
    """Two files of one stem, and one called `mean`; kinds that are mixed, and sub-folders that are left out, are noted."""
    (folder / "more").mkdir()
    Image.open("mine/a.png").save("mine/a.bmp")
    Image.open("mine/a.png").save("mine/mean.png")
    Image.open("mine/a.png").save("mine/a.png.png")
    said = run("evaluate", "bicubic", "--data", "mine", "--metrics", "psnr", "--csv", "s.csv").err
    assert "mine has sub-folders, left out: more" in said
    assert "mine holds pictures of several kinds, and all are scored: .bmp, .png" in said
    assert list(pd.read_csv("s.csv").image) == ["a.bmp", "a.png", "a.png.png", "b", "mean.png", "mean"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("evaluate --data mine", "There is nothing to score: give a model"),
        ("evaluate bicubic --results theirs --data mine", "Both the model 'bicubic' and --results are given"),
        ("evaluate --results theirs --data mine --save x", "--save is of a model"),
        ("evaluate bicubic --data mine --name {name}", "give --results or --lr, too"),
        ("evaluate --results theirs --data mine --name x3", "is no pattern"),
        ("evaluate --results none --data mine", "none does not exist"),
        ("evaluate --results mine/a.png --data mine", "is a file"),
        ("evaluate bicubic --data mine/a.png", "is a file"),
        ("evaluate bicubic --data mine --csv mine/a.png", "is read here"),
        ("evaluate bicubic --data mine --csv link.csv", "is read here"),
        ("evaluate bicubic --data mine --csv - --json", "write to one output"),
        ("evaluate bicubic --data mine --save out --csv out/a.png", "a picture that --save writes"),
        ("evaluate bicubic --data mine --save mine", "is read here"),
        ("evaluate --results theirs --data mine --csv theirs/a_x3_SR.png", "is read here"),
        ("evaluate bicubic --data mine --weights w.pth", "has no weights"),
        ("evaluate drrn_b1u1_w4 --data mine --weights none.pth", "none.pth does not exist"),
    ],
)
def test_bad_options_are_one_sentence_and_write_nothing(bicubic, refused, command, said):
    """Nothing is lost: pictures that are read stay, through links, too."""
    (bicubic.parent / "link.csv").symlink_to(bicubic.parent / "mine" / "a.png")
    refused(command, said, bicubic.parent)


def test_scores_are_of_the_pictures_that_are_there(folder, results, run, photo):
    """After a picture changed, or in another folder of the same name, `score` computes anew and says so; else it does not."""
    run("train", "drrn_b1u1_w4", "--budget", "0.0005", "--data", "SampleTrain", "--device", "cpu", "--score", "Sample")
    record = find_records(results)[0].folder
    score = ("score", record, "--data", "mine", "--metrics", "psnr")
    first = run(*score)
    kept = (record / "scores.csv").stat().st_mtime_ns
    assert run(*score) == first
    assert (record / "scores.csv").stat().st_mtime_ns == kept
    Image.fromarray(round_uint8(255 * np.sqrt(photo / 255))).save("mine/b.png")
    changed = run(*score)
    assert changed.out != first.out
    assert "mine may hold other pictures than were scored" in changed.err
    scores = Record(record).scores
    assert list(scores.dataset.unique()) == ["Sample", "mine"]
    answer = json.loads(run("evaluate", "drrn_b1u1_w4", "--data", "mine", "--metrics", "psnr", "--json").out)
    assert list(scores[scores.dataset == "mine"].psnr) == pytest.approx([row["psnr"] for row in answer["images"]], abs=1e-7)


def test_two_processes_do_not_score_one_record_at_once(folder, results, run, monkeypatch):
    """The second is refused in a sentence, and neither loses the other's scores."""
    run("train", "drrn_b1u1_w4", "--budget", "0.0005", "--data", "SampleTrain", "--device", "cpu", "--score", "Sample")
    record, started, refused = find_records(results)[0].folder, threading.Event(), threading.Event()

    def wait(*arguments, **options):
        started.set()
        assert refused.wait(20)
        return score_images(*arguments, **options)

    monkeypatch.setattr("srlib.records.run.score_images", wait)
    first = threading.Thread(target=lambda: add_scores(Record(record), open_images("mine"), (3,), ("drrn",), ("psnr",)))
    first.start()
    assert started.wait(20)
    assert "is in use by another process" in run("score", record, "--data", "mine", status=2).err
    refused.set()
    first.join()
    assert set(Record(record).scores.dataset) == {"Sample", "mine"}
