"""Files that unpack to far more than they are: refused by what they declare, before it is unpacked."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.images import write_image

from snnc.common.errors import DataError, OptionError
from snnc.models.data import load_data, pictures
from snnc.models.data.sources import npz

MEBIBYTE = 1 << 20
# Says how many KiB reading the data took at most, beside what the program takes anyway, and what was said.
PROGRAM = """
import resource, sys
import numpy, PIL.Image
from snnc.common.errors import SnncError
from snnc.models.data import load_data

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before = most()
try:
    load_data(sys.argv[1], split="train").take(2)
    said = "nothing"
except SnncError as error:
    said = str(error)
print(most() - before, said)
"""


def measured(path: Path) -> tuple[int, str]:
    """KiB of memory that reading took, and what was said, in a process of its own."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True)
    taken, _, said = ran.stdout.strip().partition(" ")
    return int(taken), said


def zipped(path: Path, name: str, size: int) -> Path:
    """An archive with a member of so many zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as member:
        for _ in range(size // MEBIBYTE):
            member.write(bytes(MEBIBYTE))
    return path


def test_a_large_member_of_an_archive_is_not_unpacked(tmp_path: Path) -> None:
    taken, said = measured(zipped(tmp_path / "bomb.zip", "a/0.png", 300 * MEBIBYTE))
    assert said.endswith("a/0.png: is too large for a picture (expected at most 64 MiB, found 300 MiB)")
    assert taken < 40 << 10


def test_a_picture_of_many_pixels_is_not_decoded(tmp_path: Path) -> None:
    write_image(tmp_path / "a" / "0.png", size=(12_000, 12_000))
    taken, said = measured(tmp_path)
    assert "0.png: the image is too large (expected at most 33,554,432 pixels, found 12000 x 12000)" in said
    assert taken < 40 << 10


def test_a_picture_of_another_size_is_not_decoded(tmp_path: Path) -> None:
    write_image(tmp_path / "a" / "0.png")
    content = io.BytesIO()
    Image.new("L", (500, 400)).save(content, format="PNG")
    # Cut off behind its head: to decode it would be another error.
    (tmp_path / "a" / "1.png").write_bytes(content.getvalue()[:50])
    with pytest.raises(DataError, match=r"1\.png: the image has another size.*found 500 x 400"):
        load_data(str(tmp_path), split="train").take(2)


def test_more_pictures_than_memory_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        write_image(tmp_path / "a" / f"{number}.png")
    data = load_data(str(tmp_path), split="train")
    monkeypatch.setattr(pictures, "_UNASKED", 20)
    monkeypatch.setattr("snnc.common.memory.available_memory", lambda device=None: 30)
    with pytest.raises(OptionError, match=r"3 images of \(1, 4, 3\): would take more memory than there is"):
        data.take(3)
    assert data.take(2).images.shape == (2, 1, 4, 3)


def test_an_array_that_says_it_is_larger_than_it_is_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (1 << 33, 4)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", head.getvalue() + bytes(64))
    taken, said = measured(path)
    assert "x is not as large as it says (expected 137,438,953,472 bytes, for shape (8589934592, 4)" in said
    assert taken < 40 << 10


def test_arrays_that_memory_does_not_hold_are_refused_by_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((100, 4), np.float32), y=np.zeros(100, np.int64))
    monkeypatch.setattr(npz, "_UNASKED", 0)
    monkeypatch.setattr(npz, "available_memory", lambda: 2399)
    monkeypatch.setattr(npz, "_read", lambda *_: pytest.fail("an array was read"))
    with pytest.raises(DataError, match="its arrays take more memory than there is"):
        load_data(str(tmp_path / "a.npz"), split="train")
    monkeypatch.undo()
    monkeypatch.setattr(npz, "_UNASKED", 0)
    monkeypatch.setattr(npz, "available_memory", lambda: 2400)
    assert len(load_data(str(tmp_path / "a.npz"), split="train")) == 100
