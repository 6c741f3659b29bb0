"""Where data come from: digits, ``.npz`` files, and how the kinds are told apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.images import some_images, write_image

from snnc.common.errors import DataError
from snnc.models.data import load_data


def test_digits_are_split_in_proportion() -> None:
    train, test = load_data("digits", split="train"), load_data("digits", split="test")
    assert (train.images.shape, test.images.shape) == ((1437, 1, 8, 8), (360, 1, 8, 8))
    assert train.images.dtype == np.uint8 and train.images.max() == 16 and train.unit == 1 / 16
    assert train.classes == tuple("0123456789")
    assert train.labels is not None and test.labels is not None
    shares = np.bincount(test.labels) / (np.bincount(train.labels) + np.bincount(test.labels))
    assert np.abs(shares - 0.2).max() < 0.01
    both = np.concatenate([train.images, test.images]).reshape(1797, -1)
    from sklearn.datasets import load_digits

    assert np.array_equal(np.sort(both.sum(1)), np.sort(load_digits().data.sum(1).astype(int)))
    assert np.array_equal(load_data("digits", split="test").images, test.images)


def test_npz_files_with_and_without_splits(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", x=some_images(4), y=np.arange(4, dtype=np.uint8))
    for split in ("train", "test"):
        dataset = load_data(str(tmp_path / "one.npz"), split=split)
        assert np.array_equal(dataset.images, some_images(4)) and dataset.labels is not None
    np.savez(tmp_path / "two.npz", x_train=np.zeros((3, 2)), y_train=np.zeros(3, int), x_test=np.ones((2, 2)))
    train, test = (load_data(str(tmp_path / "two.npz"), split=split) for split in ("train", "test"))
    assert len(train) == 3 and train.labels is not None and train.unit == 1.0
    assert len(test) == 2 and test.labels is None


def test_unusable_npz_files_are_explained(tmp_path: Path) -> None:
    def told(name: str) -> str:
        with pytest.raises(DataError) as error:
            load_data(str(tmp_path / name), split="test")
        return str(error.value)

    assert "no such file" in told("missing.npz")
    (tmp_path / "text.npz").write_text("hello")
    assert "not a readable .npz file" in told("text.npz")
    np.savez(tmp_path / "other.npz", images=np.zeros(3), z=np.zeros(3))
    assert "expected an array x or x_test, found images, z" in told("other.npz")
    content = (tmp_path / "other.npz").read_bytes()
    (tmp_path / "short.npz").write_bytes(content[:-30])
    assert "not a readable .npz file" in told("short.npz")
    np.savez(tmp_path / "pickled.npz", x=np.array([[{}]], dtype=object))
    assert "not a readable .npz file" in told("pickled.npz")
    with (tmp_path / "array.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    assert "found a single array" in told("array.npz")


@pytest.mark.parametrize("spec", ["digit", "", "svhn:ROOT dir", "x.npy", "a:b:c"])
def test_an_unknown_source_lists_what_is_possible(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        load_data(spec, split="train")
    message = str(error.value)
    for form in ["digits", "mnist:ROOT", "cifar100:ROOT", "FILE.npz", "FOLDER", "module:attribute"]:
        assert form in message


def test_a_folder_named_like_a_word_needs_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "digits" / "a" / "0.png")
    assert len(load_data("digits", split="test")) == 360
    assert len(load_data("./digits", split="test")) == 1


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("x.npy", "found a .npy file.*np.savez\\(\"x.npz\", x=np.load\\('x.npy'\\), y=labels\\)"),
        ("x.csv", "np.loadtxt\\('x.csv', delimiter=','\\)"),
        ("x.h5", "h5py.File\\('x.h5'\\)"),
        ("x.pt", "torch.load\\('x.pt'\\)"),
        ("x", "a file without a suffix.*x=images"),
        ("x.png", "FOLDER/CLASS/x.png"),
    ],
)
def test_files_of_other_forms_are_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    (tmp_path / name).write_bytes(b"1,2\n")
    monkeypatch.chdir(tmp_path)
    for spec in (name, str(tmp_path / name)):
        with pytest.raises(DataError, match=f"is a file of a form that is not read.*FILE.npz.*{told}"):
            load_data(spec, split="train")


@pytest.mark.parametrize("name", ["x.npz", "x.zip", "x.npy", "folder/a/0.png"])
def test_git_lfs_pointers_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    with pytest.raises(DataError, match=r"is a Git LFS pointer.*; git lfs pull"):
        load_data(str(tmp_path / name.partition("/a")[0]), split="train")


@pytest.mark.parametrize(
    ("shape", "told"), [((4, 3, 8), "grey images.*signals.*Conv2d"), ((4,), "one row for each"), ((1,) * 5, "videos")]
)
def test_other_numbers_of_axes_say_what_the_data_may_be(tmp_path: Path, shape: tuple[int, ...], told: str) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros(shape, np.float32))
    with pytest.raises(DataError, match=f"wrong shape.*{told}"):
        load_data(str(tmp_path / "x.npz"), split="train")
