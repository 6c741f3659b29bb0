"""Files that are no models are named for what they are."""

from __future__ import annotations

import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch
from support.saved_models import line, saved, small_network

from snnc.common.errors import ModelError
from snnc.compiler.frontend.files.load import load_model


def _tar(path: Path) -> None:
    with tarfile.open(path, "w") as file:
        file.addfile(tarfile.TarInfo("storages"))


NOT_MODELS = {
    "empty": (lambda path: path.write_bytes(b""), "found an empty file"),
    "text": (lambda path: path.write_text("hello, this is ünïcode\n" * 300), "found a text file"),
    "random": (
        lambda path: path.write_bytes(bytes([200, 3, 255, 129] * 50)),
        "found unknown bytes, starting with c8 03",
    ),
    "folder": (lambda path: path.mkdir(), "found a folder"),
    "missing": (lambda path: None, "no such file"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps([1])), "a pickle that torch.save did not write"),
    "zip": (
        lambda path: zipfile.ZipFile(path, "w").writestr("a.txt", "a"),
        "a zip archive without torch.save's data.pkl",
    ),
    "hdf5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 50), "an HDF5 file, such as a compiled .net"),
    "npy": (lambda path: path.write_bytes(b"\x93NUMPY\x01\x00v\x00"), "a NumPy array file"),
    "gzip": (lambda path: path.write_bytes(b"\x1f\x8b\x08\0\0\0"), "a gzip file"),
    "lfs": (lambda path: path.write_bytes(b"version https://git-lfs.example/spec/v1\n"), "a Git LFS pointer"),
    "tar": (_tar, "a tar archive"),
    "first bytes": (lambda path: path.write_bytes(b"PK"), "a truncated file of 2 bytes"),
}


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("kind", NOT_MODELS)
def test_other_files_are_named(tmp_path: Path, kind: str, trust: bool) -> None:
    write, told = NOT_MODELS[kind]
    path = tmp_path / "m.pt"
    write(path)
    with pytest.raises(ModelError) as error:
        load_model(path, trust=trust)
    assert told in line(error) and str(path) in line(error)


def test_npz_archives_are_named(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    numpy.savez(tmp_path / "m.npz", x=numpy.zeros(3))
    with pytest.raises(ModelError, match=r"a NumPy \.npz file"):
        load_model(tmp_path / "m.npz")


@pytest.mark.parametrize("name", ["m.pt", "m.onnx", "m.safetensors"])
def test_git_lfs_pointers_are_named_whatever_they_are_called(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    with pytest.raises(ModelError, match=r"is a Git LFS pointer.*; git lfs pull"):
        load_model(tmp_path / name)


@pytest.mark.parametrize("trust", [False, True])
@pytest.mark.parametrize("as_zip", [True, False])
@pytest.mark.parametrize("part", [0.2, 0.6, 0.99])
def test_truncated_files_are_refused(tmp_path: Path, part: float, as_zip: bool, trust: bool) -> None:
    path = saved(small_network(), tmp_path / "m.pt", _use_new_zipfile_serialization=as_zip)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ModelError) as error:
        load_model(path, trust=trust)
    assert "truncated or damaged" in line(error) or (trust and "cannot be read" in line(error))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (torch.ones(2, 3), "a tensor of shape (2, 3)"),
        ([1, 2], "a list"),
        (3, "an int"),
        ({}, "an empty dict"),
        ({"a": 1, "b": 2}, "a dict of a, b"),
        ({str(number): number for number in range(9)}, "a dict of 0, 1, 2, 3, 4, ..."),
    ],
)
def test_content_that_is_no_network_is_named(tmp_path: Path, content: object, told: str) -> None:
    with pytest.raises(ModelError) as error:
        load_model(saved(content, tmp_path / "m.pt"))
    assert "holds no network" in line(error) and told in line(error)
