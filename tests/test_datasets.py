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

from srlib import datasets
from srlib.datasets import DATASETS, Dataset, fetch, first_available, is_available, open_images
from srlib.errors import InputError


def png(seed: int) -> bytes:
    """A small PNG."""
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (12, 10, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


class Server:
    """Serves `files`; a path in `cut` breaks off half way."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.requests: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append(self.path)
                if self.path not in server.files:
                    self.send_error(404)
                    return
                body = server.files[self.path]
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if self.path in server.cut else body)

            def log_message(self, *arguments):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("SRLIB_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SRLIB_MIRROR", raising=False)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)  # between its attempts
    running = Server()
    yield running
    running.http.shutdown()
    running.http.server_close()


@pytest.fixture
def three(server):
    """A dataset of three files that the server holds."""
    contents = {f"image{k}.png": png(k) for k in range(3)}
    server.files = {f"/Three/{name}": body for name, body in contents.items()}
    files = {name: (hashlib.sha256(body).hexdigest(), len(body)) for name, body in contents.items()}
    return Dataset("Three", 3, "test", "ours", "here", url=server.url + "/elsewhere/", files=files)


def test_fetch_gets_every_file_and_then_needs_no_network(server, three):
    """A complete folder is verified without a request."""
    folder = fetch(three, server.url)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        path.rsplit("/", 1)[1]: body for path, body in server.files.items()
    }
    assert len(server.requests) == 3
    fetch(three, server.url)
    assert len(server.requests) == 3


@pytest.mark.parametrize("fault", ["cut", "wrong bytes", "404"])
def test_a_failed_download_keeps_whole_files_only_and_goes_on_later(server, three, fault):
    """The sentence names the address; what was complete stays, and the next call asks only for the rest."""
    path = "/Three/image1.png"
    body = server.files[path]
    if fault == "cut":
        server.cut.add(path)
    elif fault == "wrong bytes":
        server.files[path] = png(9)
    else:
        del server.files[path]
    with pytest.raises(InputError, match=r"/Three/image1.png could not be fetched"):
        fetch(three, server.url)
    folder = datasets.data_folder() / "Three"
    assert [p.name for p in folder.iterdir()] == ["image0.png"]
    server.files[path], server.cut, server.requests = body, set(), []
    fetch(three, server.url)
    assert sorted(server.requests) == ["/Three/image1.png", "/Three/image2.png"]


def test_a_damaged_file_is_named_never_used_and_fetched_again(server, three, monkeypatch):
    """One flipped byte is found when the file is read."""
    monkeypatch.setitem(DATASETS, "Three", three)
    folder = fetch(three, server.url)
    good = (folder / "image2.png").read_bytes()
    (folder / "image2.png").write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(InputError, match=r"image2.png is damaged.*python -m srlib fetch Three"):
        list(open_images("Three"))
    fetch(three, server.url)
    assert (folder / "image2.png").read_bytes() == good
    assert len(list(open_images("Three"))) == 3


def test_the_mirror_can_come_from_the_environment(server, three, monkeypatch):
    """SRLIB_MIRROR replaces the source for whoever cannot reach it."""
    with pytest.raises(InputError, match=r"/elsewhere/image0.png could not be fetched"):
        fetch(three)
    monkeypatch.setenv("SRLIB_MIRROR", server.url + "/")
    fetch(three)
    assert len(list((datasets.data_folder() / "Three").iterdir())) == 3


def test_an_archive_is_verified_unpacked_and_removed(server, monkeypatch):
    """DIV2K comes so: a zip with one folder of PNGs; the files' digests are kept for later reads."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for k in range(2):
            archive.writestr(f"DIV2K_train_HR/000{k}.png", png(k))
    body = buffer.getvalue()
    dataset = replace(DATASETS["DIV2K"], count=2, sha256=hashlib.sha256(body).hexdigest())
    monkeypatch.setitem(DATASETS, "DIV2K", dataset)
    with pytest.raises(InputError, match="run python -m srlib fetch DIV2K"):
        open_images("DIV2K")
    server.files["/DIV2K/DIV2K_train_HR.zip"] = body
    folder = fetch(dataset, server.url)
    assert not (folder.parent / "DIV2K_train_HR.zip").exists()
    assert json.loads((folder / "manifest.json").read_text())["0000.png"] == hashlib.sha256(png(0)).hexdigest()
    assert [name for name, _ in open_images("DIV2K")] == ["0000", "0001"]
    fetch(dataset, server.url)
    assert len(server.requests) == 1
    (folder / "0001.png").write_bytes(png(5))
    with pytest.raises(InputError, match=r"0001.png is damaged"):
        list(open_images("DIV2K"))


def test_an_incomplete_folder_of_the_users_is_not_touched(server, monkeypatch):
    """Somebody's own images in DIV2K's place are never removed."""
    folder = datasets.data_folder() / "DIV2K"
    folder.mkdir(parents=True)
    (folder / "mine.png").write_bytes(png(0))
    with pytest.raises(InputError, match="move it away"):
        fetch("DIV2K", server.url)
    assert (folder / "mine.png").exists()
    assert not server.requests


def test_manga109_says_how_to_get_it_and_works_when_it_is_there(server, monkeypatch):
    """Bring your own: no download, any 109 images in the folder."""
    with pytest.raises(InputError, match=r"manga109\.org.*put the 109 images there"):
        fetch("Manga109")
    folder = datasets.data_folder() / "Manga109"
    folder.mkdir(parents=True)
    for k in range(109):
        (folder / f"{k:03}.png").write_bytes(png(k % 3))
    assert len(open_images("Manga109")) == 109


@pytest.mark.parametrize("name", ["Set5", "Set14", "BSD100", "T91", "BSDS200", "BSDS500_test", "Urban100"])
def test_the_files_at_hand_are_the_registrys(dataset, name):
    """Witness: SHA-256 of every file in its public repository."""
    images = dataset(name)
    assert len(images) == DATASETS[name].count
    for path, sha256 in zip(images.paths, images.sha256, strict=True):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sha256, path


def test_t291_is_t91_and_bsds200(dataset):
    """The training set of DRRN and RL-CSC; every image is checked like those of its parts."""
    assert len(dataset("T291")) == 291
    assert all(dataset("T291").sha256)


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
    for name in ("b.png", "a.PNG"):
        (tmp_path / name).write_bytes(png(1))
    (tmp_path / "notes.txt").write_text("no image")
    assert [name for name, _ in open_images(tmp_path)] == ["a", "b"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no image"):
        open_images(tmp_path / "empty")
    with pytest.raises(InputError, match="'Set6' is unknown: choose one of Set5"):
        open_images("Set6")
