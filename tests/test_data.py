"""Data sets: every kind of source, and what is said where they cannot be used."""

from __future__ import annotations

import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from snnc.errors import DataError, OptionError
from snnc.models.data import Dataset, check_dataset, folder, load_data, make_dataset
from snnc.models.data.order import shuffled


def some_images(count: int = 5, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, channels, 4, 3), dtype=np.uint8)


# ---- the data set itself ----


def test_take_gives_the_first_samples() -> None:
    dataset = make_dataset("d", some_images(5), np.arange(5), unit=0.5, classes=tuple("abcde"))
    taken = dataset.take(2)
    assert len(taken) == 2 and taken.labels is not None and taken.labels.tolist() == [0, 1]
    assert (taken.unit, taken.classes, taken.name) == (0.5, tuple("abcde"), "d")
    assert len(dataset.take(100)) == 5


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(1, 70), st.integers(0, 1000))
def test_subsets_are_balanced_and_without_repetition(labels: list[int], count: int, seed: int) -> None:
    images = np.arange(len(labels), dtype=np.float32).reshape(-1, 1)
    dataset = make_dataset("d", images, np.array(labels))
    drawn = dataset.subset(count, seed)
    assert len(drawn) == min(count, len(labels))
    picked = drawn.images[:, 0].astype(int).tolist()
    assert len(set(picked)) == len(picked)
    assert drawn.labels is not None and drawn.labels.tolist() == [labels[index] for index in picked]
    for label in set(labels):
        took, has = drawn.labels.tolist().count(label), labels.count(label)
        for other in set(labels):
            # No class has two more than another, unless the other has given all that it has.
            assert took - drawn.labels.tolist().count(other) <= 1 or labels.count(other) == drawn.labels.tolist().count(
                other
            )
        assert took <= has
    assert np.array_equal(drawn.images, dataset.subset(count, seed).images)


def test_subsets_differ_by_seed_and_work_without_labels() -> None:
    dataset = make_dataset("d", np.arange(100, dtype=np.float32).reshape(-1, 1))
    first, second = dataset.subset(20, 0), dataset.subset(20, 1)
    assert len(np.unique(first.images)) == 20 and first.labels is None
    assert not np.array_equal(first.images, second.images)


def test_orders_are_the_same_with_every_numpy() -> None:
    assert shuffled(8, 0).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]
    assert sorted(shuffled(100, 5).tolist()) == list(range(100))


@pytest.mark.parametrize("count", [0, -1])
def test_counts_below_one_are_refused(count: int) -> None:
    dataset = make_dataset("d", some_images())
    with pytest.raises(OptionError, match=f"expected at least 1, found {count}"):
        dataset.take(count)
    with pytest.raises(OptionError, match="at least 1"):
        dataset.subset(count, 0)
    with pytest.raises(OptionError, match="seed is negative"):
        dataset.subset(1, -1)


def test_types_are_converted() -> None:
    dataset = make_dataset(
        "d", torch.rand(3, 2, dtype=torch.float64, requires_grad=True), torch.tensor([0, 1, 2]).int()
    )
    assert dataset.images.dtype == np.float32 and dataset.unit == 1.0
    assert dataset.labels is not None and dataset.labels.dtype == np.int64
    assert make_dataset("d", some_images()).unit == 1 / 255


@pytest.mark.parametrize(
    ("images", "labels", "told"),
    [
        (np.zeros((0, 1, 2, 2), np.uint8), None, r"there are no images .*\(0, 1, 2, 2\)"),
        (np.zeros((2, 0), np.float32), None, r"there are no images"),
        (np.zeros((2, 3, 3), np.uint8), None, r"wrong shape .*found \(2, 3, 3\)\); give grey images a channel axis"),
        (np.zeros(4, np.float32), None, r"wrong shape .*found \(4,\)"),
        (np.zeros((2, 1, 3, 3), np.int64), None, "expected uint8 in 0..255, or floats, found int64"),
        (np.array([["a"]]), None, "wrong type"),
        (np.array([[object()]]), None, "not an array of numbers"),
        ([[1.0], [1.0, 2.0]], None, "the images are not an array"),
        (np.array([[1.0, 2.0], [3.0, np.nan]]), None, r"NaN or infinity .*found nan at index \(1, 1\)"),
        (np.array([[1.0, np.inf]]), None, r"found inf at index \(0, 1\)"),
        (np.array([[1e300]]), None, r"found inf at index \(0, 0\)"),
        (some_images(3), np.zeros(2, int), r"labels do not fit .*expected shape \(3,\).*found shape \(2,\)"),
        (some_images(3), np.zeros((3, 10), int), r"found shape \(3, 10\)"),
        (some_images(3), np.zeros(3), "expected whole numbers, found float64"),
        (some_images(3), np.array([0, 1, -1]), "a label is negative .*-1 at index 2"),
    ],
)
def test_unusable_data_is_explained(images: object, labels: object, told: str) -> None:
    with pytest.raises(DataError, match=told) as error:
        make_dataset("name", images, labels)
    assert str(error.value).startswith("name: ")


def test_data_sets_made_by_hand_are_checked() -> None:
    images = some_images(2)
    for dataset, told in [
        (Dataset("d", images.astype(np.float64)), "expected uint8 or float32, found float64"),
        (Dataset("d", images, np.zeros(2, np.int32)), "expected int64, found int32"),
        (Dataset("d", images, unit=0.0), "the unit is wrong"),
        (Dataset("d", images, unit=float("nan")), "the unit is wrong"),
        (Dataset("d", images, np.array([0, 2]), classes=("a", "b")), "expected labels below 2"),
    ]:
        with pytest.raises(DataError, match=told):
            check_dataset(dataset)


# ---- digits ----


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


# ---- folders of images ----


def write_image(path: Path, mode: str = "L", size: tuple[int, int] = (3, 4), value: object = 7) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path


def test_a_folder_of_grey_images_has_one_channel(tmp_path: Path) -> None:
    for number, name in enumerate(["b/1.png", "b/0.png", "a/0.PNG"]):
        write_image(tmp_path / name, value=number)
    (tmp_path / "a" / ".hidden.png").write_text("no image")
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / ".cache").mkdir()
    for split in ("train", "test"):
        dataset = load_data(str(tmp_path), split=split)
        assert dataset.images.shape == (3, 1, 4, 3) and dataset.images.dtype == np.uint8
        assert dataset.labels is not None
        assert sorted(zip(dataset.images[:, 0, 0, 0], dataset.labels, strict=True)) == [(0, 1), (1, 1), (2, 0)]
        assert dataset.classes == ("a", "b") and dataset.unit == 1 / 255


def test_a_folder_with_any_colour_has_three_channels(tmp_path: Path) -> None:
    write_image(tmp_path / "a" / "0.png", "L", value=5)
    write_image(tmp_path / "a" / "1.png", "RGB", value=(1, 2, 3))
    write_image(tmp_path / "a" / "2.png", "RGBA", value=(4, 5, 6, 0))
    dataset = load_data(str(tmp_path), split="train")
    assert dataset.images.shape == (3, 3, 4, 3)
    assert sorted(dataset.images[:, :, 0, 0].tolist()) == [[1, 2, 3], [4, 5, 6], [5, 5, 5]]


def test_the_first_images_of_a_folder_are_of_all_classes(tmp_path: Path) -> None:
    for name in "abc":
        for number in range(20):
            write_image(tmp_path / name / f"{number}.png")
    first, again = (load_data(str(tmp_path), split="test").take(20).labels for _ in range(2))
    assert first is not None and again is not None
    assert set(first.tolist()) == {0, 1, 2} and first.tolist() == again.tolist()


@pytest.mark.parametrize("test_name", ["test", "val"])
def test_a_folder_with_splits_is_split(tmp_path: Path, test_name: str) -> None:
    for name in ["a", "b", "c"]:
        write_image(tmp_path / "train" / name / "0.png")
    write_image(tmp_path / test_name / "c" / "0.png")
    assert len(load_data(str(tmp_path), split="train")) == 3
    test = load_data(str(tmp_path), split="test")
    # The class keeps the number it has in train.
    assert test.labels is not None and test.labels.tolist() == [2] and test.classes == ("a", "b", "c")
    write_image(tmp_path / test_name / "d" / "0.png")
    with pytest.raises(DataError, match=r"d: the class is not among those of train \(expected a, b, c\)"):
        load_data(str(tmp_path), split="test")


def test_unusable_folders_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        load_data(str(tmp_path / "missing"), split="train")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"not a folder, \.zip or \.npz file"):
        load_data(str(tmp_path / "file"), split="train")
    flat = tmp_path / "flat"
    write_image(flat / "0.png")
    with pytest.raises(DataError, match="there are no class folders"):
        load_data(str(flat), split="train")
    empty = tmp_path / "empty"
    (empty / "a").mkdir(parents=True)
    with pytest.raises(DataError, match=r"a: the class folder holds no images .*\.png"):
        load_data(str(empty), split="train")


def test_odd_images_are_named(tmp_path: Path) -> None:
    write_image(tmp_path / "size" / "a" / "0.png")
    write_image(tmp_path / "size" / "a" / "1.png", size=(5, 4))
    odd = load_data(str(tmp_path / "size"), split="train")
    with pytest.raises(DataError, match=r"1\.png: .*expected 3 x 4 pixels, as 0\.png, found 5 x 4"):
        odd.subset(2, 0)
    write_image(tmp_path / "deep" / "a" / "0.png", mode="I;16")
    with pytest.raises(DataError, match=r"0\.png: the image has more than 8 bits per value"):
        load_data(str(tmp_path / "deep"), split="train")
    path = write_image(tmp_path / "broken" / "a" / "0.png")
    path.write_bytes(path.read_bytes()[:45])
    with pytest.raises(DataError, match=r"0\.png: not a readable image"):
        load_data(str(tmp_path / "broken"), split="train")
    write_image(tmp_path / "late" / "a" / "0.png")
    (tmp_path / "late" / "a" / "1.png").write_text("no image")
    with pytest.raises(DataError, match=r"1\.png: not a readable image"):
        load_data(str(tmp_path / "late"), split="train")


@pytest.mark.parametrize(("mode", "value"), [("L", 7), ("RGB", (7, 7, 7))])
def test_of_a_large_folder_only_what_is_taken_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, value: Any
) -> None:
    """To draw 512 calibration samples, all 50,000 images of a folder were read."""
    for number in range(40):
        write_image(tmp_path / "ab"[number % 2] / f"{number:02}.png", mode, value=value)
    decoded: list[str] = []
    read = folder.read_picture

    def counted(pillow: Any, files: Any, index: int, **options: Any) -> Any:
        decoded.append(files.paths[index])
        return read(pillow, files, index, **options)

    monkeypatch.setattr(folder, "read_picture", counted)
    dataset = load_data(str(tmp_path), split="train")
    assert len(dataset) == 40 and len(decoded) == 1
    some = dataset.subset(6, 0)
    assert isinstance(some.images, np.ndarray) and (some.images == 7).all()
    assert some.labels is not None and sorted(some.labels.tolist()) == [0, 0, 0, 1, 1, 1]
    assert len(decoded) == 1 + 6
    # What is used again, as in training, is not decoded again.
    for _ in range(2):
        assert np.asarray(dataset.images).shape == dataset.images.shape
    assert len(decoded) == 1 + 40


# ---- .npz files ----


def test_npz_files_with_and_without_splits(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", x=some_images(4), y=np.arange(4, dtype=np.uint8))
    for split in ("train", "test"):
        dataset = load_data(str(tmp_path / "one.npz"), split=split)
        assert np.array_equal(dataset.images, some_images(4)) and dataset.labels is not None
    np.savez(tmp_path / "two.npz", x_train=np.zeros((3, 2)), y_train=np.zeros(3, int), x_test=np.ones((2, 2)))
    train, test = (load_data(str(tmp_path / "two.npz"), split=split) for split in ("train", "test"))
    assert len(train) == 3 and train.labels is not None and train.unit == 1.0
    assert len(test) == 2 and test.labels is None


@pytest.mark.parametrize("form", ["SGI", "TGA", "PCX"])
def test_a_rare_form_of_picture_is_not_read_whatever_its_name(tmp_path: Path, form: str) -> None:
    write_image(tmp_path / "a" / "0.png")
    Image.new("L", (4, 3), 1).save(tmp_path / "a" / "1.png", format=form)
    with pytest.raises(DataError, match=r"1\.png: not a readable image"):
        load_data(str(tmp_path), split="train")


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


# ---- torchvision ----


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


# ---- module:attribute ----


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the working directory, under a name that no other test uses."""
    monkeypatch.chdir(tmp_path)
    name = "own_" + "".join(character if character.isalnum() else "_" for character in tmp_path.name)
    (tmp_path / f"{name}.py").write_text(
        "import numpy as np, torch\n"
        "from snnc.errors import DataError\n"
        "from snnc.models.data import Dataset\n"
        "images = np.zeros((3, 1, 2, 2), np.uint8)\n"
        "tensor = torch.zeros(3, 4)\n"
        "pair = (images, [0, 1, 2])\n"
        "ours = Dataset('ours', images, unit=0.25)\n"
        "bad_ours = Dataset('ours', images[:, 0])\n"
        "class Samples(torch.utils.data.Dataset):\n"
        "    classes = ['a', 'b']\n"
        "    def __init__(self, split='test'): self.count = 4 if split == 'train' else 2\n"
        "    def __len__(self): return self.count\n"
        "    def __getitem__(self, i): return torch.full((1, 2, 2), float(i)), i % 2\n"
        "samples = Samples('train')\n"
        "class NoLabels(Samples):\n"
        "    def __getitem__(self, i): return np.full((5,), i, np.uint8)\n"
        "no_labels = NoLabels()\n"
        "class Ragged(Samples):\n"
        "    def __getitem__(self, i): return torch.zeros(i + 1), torch.tensor(0)\n"
        "ragged = Ragged()\n"
        "class Pictures(Samples):\n"
        "    def __getitem__(self, i): return 'picture', 0\n"
        "pictures = Pictures()\n"
        "class Triples(Samples):\n"
        "    def __getitem__(self, i): return 1, 2, 3\n"
        "triples = Triples()\n"
        "class Failing(Samples):\n"
        "    def __getitem__(self, i): raise OSError('disk')\n"
        "failing = Failing()\n"
        "none_left = torch.utils.data.Subset(samples, [])\n"
        "def by_split(split): return images[: 1 if split == 'test' else 2]\n"
        "def by_name(**options): return images[: 1 if options['split'] == 'test' else 2]\n"
        "def without_split(): return pair\n"
        "def needs(argument): return pair\n"
        "def raises(): raise KeyError('no luck')\n"
        "def raises_ours(): raise DataError('own words')\n"
        "text = 'abc'\n"
        "number = 3\n"
        "table = {'x': images}\n"
    )
    return name


@pytest.mark.parametrize(
    ("attribute", "train_shape", "test_shape", "labels"),
    [
        ("images", (3, 1, 2, 2), (3, 1, 2, 2), None),
        ("tensor", (3, 4), (3, 4), None),
        ("pair", (3, 1, 2, 2), (3, 1, 2, 2), [0, 1, 2]),
        ("ours", (3, 1, 2, 2), (3, 1, 2, 2), None),
        ("samples", (4, 1, 2, 2), (4, 1, 2, 2), [0, 1, 0, 1]),
        ("Samples", (4, 1, 2, 2), (2, 1, 2, 2), [0, 1]),
        ("no_labels", (2, 5), (2, 5), None),
        ("by_split", (2, 1, 2, 2), (1, 1, 2, 2), None),
        ("by_name", (2, 1, 2, 2), (1, 1, 2, 2), None),
        ("without_split", (3, 1, 2, 2), (3, 1, 2, 2), [0, 1, 2]),
    ],
)
def test_references_of_all_kinds(
    own_module: str, attribute: str, train_shape: tuple[int, ...], test_shape: tuple[int, ...], labels: list[int] | None
) -> None:
    before = list(sys.path)
    train, test = (load_data(f"{own_module}:{attribute}", split=split) for split in ("train", "test"))
    assert (train.images.shape, test.images.shape) == (train_shape, test_shape)
    assert (None if test.labels is None else test.labels.tolist()) == labels
    assert sys.path == before


def test_references_keep_what_the_data_says(own_module: str) -> None:
    assert load_data(f"{own_module}:ours", split="train").unit == 0.25
    samples = load_data(f"{own_module}:samples", split="train")
    assert samples.classes == ("a", "b") and samples.images.dtype == np.float32
    assert samples.images[:, 0, 0, 0].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("no_such_module_here:x", "there is no module no_such_module_here"),
        ("MODULE:missing", "has no missing"),
        ("MODULE:number", "it holds no data .*expected an array.*found a int"),
        ("MODULE:text", "it holds no data .*found a str"),
        ("MODULE:table", "it holds no data .*found a dict"),
        ("MODULE:needs", "calling it failed .*TypeError"),
        ("MODULE:raises", "calling it failed .*KeyError: 'no luck'"),
        ("MODULE:raises_ours", "^own words$"),
        ("MODULE:bad_ours", "wrong shape"),
        ("MODULE:ragged", r"another shape than the first \(expected \(1,\), found \(2,\) at index 1"),
        ("MODULE:pictures", "a sample is not a tensor .*found a str at index 0"),
        ("MODULE:triples", "found 3 items at index 0"),
        ("MODULE:failing", "reading a sample failed .*OSError: disk at index 0"),
        ("MODULE:none_left", "a data set of length 0"),
    ],
)
def test_unusable_references_are_explained(own_module: str, spec: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        load_data(spec.replace("MODULE", own_module), split="train")


def test_a_reference_whose_import_fails_is_explained(tmp_path: Path, own_module: str) -> None:
    (tmp_path / f"{own_module}_broken.py").write_text("1 / 0")
    with pytest.raises(DataError, match=r"importing .*_broken failed \(found ZeroDivisionError"):
        load_data(f"{own_module}_broken:x", split="train")


# ---- telling the kinds apart ----


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
