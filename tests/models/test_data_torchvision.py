"""Data sets of torchvision: those that are there are read, missing ones explained."""

from __future__ import annotations

import pickle
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from snnc.common.errors import DataError
from snnc.models.data import load_data


def write_mnist(root: Path, folder: str) -> None:
    raw = root / folder / "raw"
    raw.mkdir(parents=True)
    for part, count in (("train", 5), ("t10k", 2)):
        images = np.arange(count * 28 * 28).astype(np.uint8)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4I", 2051, count, 28, 28) + images.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 2049, count) + bytes(range(count)))


@pytest.mark.parametrize(("name", "folder"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")])
def test_mnist_is_read(tmp_path: Path, name: str, folder: str) -> None:
    pytest.importorskip("torchvision")
    write_mnist(tmp_path, folder)
    train, test = (load_data(f"{name}:{tmp_path}", split=split) for split in ("train", "test"))
    assert train.images.shape == (5, 1, 28, 28) and test.images.shape == (2, 1, 28, 28)
    assert train.images[0, 0, 0, :4].tolist() == [0, 1, 2, 3]
    assert test.labels is not None and test.labels.tolist() == [0, 1] and len(test.classes or ()) == 10


def test_cifar10_is_read_with_channels_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    pixels = np.arange(2 * 3072).astype(np.uint8).reshape(2, 3072)
    for name in ["test_batch", *(f"data_batch_{number}" for number in range(1, 6))]:
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": [3, 9]}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    # torchvision compares the files with the checksums of the real ones.
    monkeypatch.setattr(datasets.CIFAR10, "_check_integrity", lambda self: True)
    monkeypatch.setattr("torchvision.datasets.cifar.check_integrity", lambda *arguments: True)
    test = load_data(f"cifar10:{tmp_path}", split="test")
    assert test.images.shape == (2, 3, 32, 32) and np.array_equal(test.images.reshape(2, 3072), pixels)
    assert test.labels is not None and test.labels.tolist() == [3, 9] and test.classes == tuple("abcdefghij")
    assert len(load_data(f"cifar10:{tmp_path}", split="train")) == 10


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar10", "cifar100"])
def test_missing_torchvision_data_says_where_it_was_expected(tmp_path: Path, name: str) -> None:
    pytest.importorskip("torchvision")
    with pytest.raises(DataError) as error:
        load_data(f"{name}:{tmp_path}", split="test")
    assert f"expected the files in {tmp_path}/" in str(error.value) and "download=True" in str(error.value)
    with pytest.raises(DataError, match=f"expected {name}:ROOT"):
        load_data(f"{name}:", split="test")


def test_packed_torchvision_data_says_to_unpack(tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    (tmp_path / "MNIST" / "raw").mkdir(parents=True)
    (tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"unpack the \.gz files there"):
        load_data(f"mnist:{tmp_path}", split="train")


def test_missing_torchvision_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    with pytest.raises(DataError, match=r"needs torchvision, which cannot be imported.*pip install torchvision"):
        load_data(f"mnist:{tmp_path}", split="train")
