"""Files are written whole or not at all, and never over what is read."""

import errno
import os
from pathlib import Path

import pytest

from srlib.errors import InputError
from srlib.files import check_output, write_atomically


def test_an_output_that_is_an_input_is_refused_through_links(tmp_path):
    """By its name, a symbolic link, a hard link, a link to its folder; other files and missing inputs are no matter."""
    original = tmp_path / "a.png"
    original.write_bytes(b"a")
    (tmp_path / "b.png").write_bytes(b"b")
    (tmp_path / "soft.png").symlink_to(original)
    (tmp_path / "hard.png").hardlink_to(original)
    (tmp_path / "folder").symlink_to(tmp_path)
    for name in ("a.png", "soft.png", "hard.png", "folder/a.png"):
        with pytest.raises(InputError, match="is read here, and would be replaced: write elsewhere"):
            check_output(tmp_path / name, inputs=[tmp_path / "none.png", original])
    assert check_output(tmp_path / "b.png", inputs=[original]) == tmp_path / "b.png"
    assert check_output(tmp_path / "new.png", inputs=[original, tmp_path / "none.png"]) == tmp_path / "new.png"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x" * 300, "give another name"),
        ("", "is not a file"),
        ("a.png/b/c.png", "a.png is not a folder"),
        ("nul\0", "give another name"),
    ],
)
def test_a_name_that_cannot_be_is_a_sentence(tmp_path, name, said):
    """Too long, a folder, below a file, with a zero byte."""
    (tmp_path / "a.png").write_bytes(b"a")
    with pytest.raises(InputError, match=said):
        write_atomically(f"{tmp_path}/{name}", b"x")


@pytest.mark.parametrize("name", ["n" * 255, "日本" * 42, "line\nbreak", "émoji 🐈.png", os.fsdecode(b"not\xffutf8")])
def test_long_and_foreign_names_are_written(tmp_path, name):
    """A name as long as the system allows has no room for a temporary name beside it."""
    write_atomically(tmp_path / name, "été 日本 \udcff")
    assert (tmp_path / name).read_bytes() == "été 日本 \\udcff".encode()
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_an_error_while_cleaning_up_does_not_hide_the_one_that_matters(tmp_path, monkeypatch):
    """A read-only place refuses the writing and then the cleaning up; the sentence is of the writing. The old file stays."""
    (tmp_path / "a").write_bytes(b"old")

    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(InputError, match=r"a cannot be written \(No space left on device\): make room, or write elsewhere"):
        write_atomically(tmp_path / "a", lambda file: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_function_writes_to_the_file_and_its_error_leaves_the_old_one(tmp_path):
    """Whatever it raises; nothing else is left in the folder."""
    write_atomically(tmp_path / "a", lambda file: file.write(b"new"))
    with pytest.raises(ZeroDivisionError):
        write_atomically(tmp_path / "a", lambda file: file.write(b"torn" * (1 // 0)))
    assert (tmp_path / "a").read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]
