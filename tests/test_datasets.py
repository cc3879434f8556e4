"""Datasets against the registry's digests, and the download against a server on the loopback."""

import hashlib
import io
import json
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from srlib.datasets import DATASETS, Dataset, data_folder, fetch, first_available, is_available, open_images
from srlib.errors import InputError


def png(seed: int) -> bytes:
    """A small PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (12, 10, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server of the bytes in `files`, of which those in `cut` break off half way; it notes `requests`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.requests.append(self.path)
            if (body := self.server.files.get(self.path)) is None:
                return self.send_error(404)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            return self.wfile.write(body[: len(body) // 2] if self.path in self.server.cut else body)

        def log_message(self, *arguments):
            pass

    monkeypatch.setenv("SRLIB_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SRLIB_MIRROR", raising=False)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)  # between its attempts
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.files, running.cut, running.requests = {}, set(), []
        running.url = f"http://127.0.0.1:{running.server_port}"
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def three(server, monkeypatch):
    """A dataset of three files that the server holds, called Three."""
    server.files = {f"/Three/image{k}.png": png(k) for k in range(3)}
    files = {path[7:]: (hashlib.sha256(body).hexdigest(), len(body)) for path, body in server.files.items()}
    monkeypatch.setitem(DATASETS, "Three", Dataset("Three", 3, "test", "ours", "here", server.url + "/elsewhere/", files))


def test_fetch_gets_every_file_and_then_needs_no_network(server, three):
    """A complete folder is verified without a request."""
    folder = fetch("Three", server.url)
    assert {f"/Three/{path.name}": path.read_bytes() for path in folder.iterdir()} == server.files
    assert len(server.requests) == 3
    fetch("Three", server.url)
    assert len(server.requests) == 3


@pytest.mark.parametrize("fault", ["cut", "wrong bytes", "404"])
def test_a_failed_download_keeps_whole_files_only_and_goes_on_later(server, three, fault):
    """The sentence names the address; what was complete stays, and the next call asks only for the rest."""
    path = "/Three/image1.png"
    body = server.files[path]
    server.cut = {path} if fault == "cut" else set()
    server.files[path] = {"cut": body, "wrong bytes": png(9), "404": None}[fault]
    with pytest.raises(InputError, match=r"/Three/image1.png could not be fetched"):
        fetch("Three", server.url)
    folder = data_folder() / "Three"
    assert [p.name for p in folder.iterdir()] == ["image0.png"]
    server.files[path], server.cut, server.requests = body, set(), []
    fetch("Three", server.url)
    assert sorted(server.requests) == ["/Three/image1.png", "/Three/image2.png"]


def test_a_damaged_file_is_named_never_used_and_fetched_again(server, three):
    """One flipped byte is found when the file is read."""
    folder = fetch("Three", server.url)
    good = (folder / "image2.png").read_bytes()
    (folder / "image2.png").write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(InputError, match=r"image2.png is damaged.*python -m srlib fetch Three"):
        list(open_images("Three"))
    fetch("Three", server.url)
    assert (folder / "image2.png").read_bytes() == good
    assert len(list(open_images("Three"))) == 3


def test_the_mirror_can_come_from_the_environment(server, three, monkeypatch):
    """SRLIB_MIRROR replaces the source for whoever cannot reach it."""
    with pytest.raises(InputError, match=r"/elsewhere/image0.png could not be fetched"):
        fetch("Three")
    monkeypatch.setenv("SRLIB_MIRROR", server.url + "/")
    fetch("Three")
    assert len(list((data_folder() / "Three").iterdir())) == 3


def test_an_archive_is_verified_unpacked_and_removed(server, monkeypatch):
    """DIV2K comes so: a zip with one folder of PNGs; the files' digests are kept for later reads."""
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as archive:
        for k in range(2):
            archive.writestr(f"DIV2K_train_HR/000{k}.png", png(k))
    body = buffer.getvalue()
    monkeypatch.setitem(DATASETS, "DIV2K", replace(DATASETS["DIV2K"], count=2, sha256=hashlib.sha256(body).hexdigest()))
    with pytest.raises(InputError, match="run python -m srlib fetch DIV2K"):
        open_images("DIV2K")
    server.files["/DIV2K/DIV2K_train_HR.zip"] = body
    folder = fetch("DIV2K", server.url)
    assert not (folder.parent / "DIV2K_train_HR.zip").exists()
    assert json.loads((folder / "manifest.json").read_text())["0000.png"] == hashlib.sha256(png(0)).hexdigest()
    assert [name for name, _ in open_images("DIV2K")] == ["0000", "0001"]
    fetch("DIV2K", server.url)
    assert len(server.requests) == 1
    (folder / "0001.png").write_bytes(png(5))
    with pytest.raises(InputError, match=r"0001.png is damaged"):
        list(open_images("DIV2K"))


def test_images_that_users_bring_are_used_and_never_removed(server):
    """Manga109 comes from its authors: any 109 images in its folder; somebody's own images in DIV2K's place stay."""
    with pytest.raises(InputError, match=r"manga109\.org.*put the 109 images there"):
        fetch("Manga109")
    for name, count in (("Manga109", 109), ("DIV2K", 1)):
        (data_folder() / name).mkdir(parents=True)
        for k in range(count):
            (data_folder() / name / f"{k:03}.png").write_bytes(png(0))
    assert len(open_images("Manga109")) == 109
    with pytest.raises(InputError, match="move it away"):
        fetch("DIV2K", server.url)
    assert (data_folder() / "DIV2K" / "000.png").exists()
    assert not server.requests


@pytest.mark.parametrize("name", ["Set5", "Set14", "BSD100", "T291", "BSDS500_test", "Urban100"])
def test_the_files_at_hand_are_the_registrys(dataset, name):
    """Witness: SHA-256 of every file in its public repository; T291 is T91 and BSDS200, the training set of two papers."""
    images = dataset(name)
    assert len(images) == {"Set5": 5, "Set14": 14, "T291": 291, "BSDS500_test": 200}.get(name, 100) == DATASETS[name].count
    for path, sha256 in zip(images.paths, images.sha256, strict=True):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256, path


def test_the_sample_needs_nothing_and_training_never_sees_it(monkeypatch, tmp_path):
    """The photographs inside scikit-image; the two stand-ins share no file."""
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path))
    assert not is_available("Set5")
    assert first_available("Set5", "Set14") == "Sample"
    sample, training = open_images("Sample"), open_images("SampleTrain")
    assert all(image.ndim == 3 and image.shape[2] == 3 for s in (sample, training) for _, image in s)
    assert not {p.name for p in sample.paths} & {p.name for p in training.paths}


def test_any_folder_is_a_dataset_and_an_empty_one_an_error(tmp_path):
    """Files are taken in the order of their names; other files are left alone."""
    for name in ("b.png", "a.PNG", "notes.txt"):
        (tmp_path / name).write_bytes(png(1))
    assert [name for name, _ in open_images(tmp_path)] == ["a", "b"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no image"):
        open_images(tmp_path / "empty")
    with pytest.raises(InputError, match="'Set6' is neither a dataset nor a folder that exists: choose Set5"):
        open_images("Set6")
