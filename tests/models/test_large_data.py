"""Folders of images of many sizes, read lazily, and zip files of class folders."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snnc.common.errors import DataError
from snnc.inputs.data import calibration_data, chunks, evaluation_data, raw_values
from snnc.models.data import load_data, pictures
from snnc.models.data.pictures import LazyImages


def noise(path: Path, width: int, height: int, mode: str = "RGB") -> Path:
    """A smooth random picture: JPEG and resizing keep it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = np.random.default_rng(width * 1000 + height)
    small = Image.fromarray(seed.integers(0, 256, (6, 6, 3), np.uint8)).resize((width, height))
    small.convert(mode).save(path)
    return path


@pytest.fixture
def imagenet(tmp_path: Path) -> Path:
    sizes = [(300, 200), (200, 300), (256, 256), (640, 481), (31, 57)]
    for split in ("train", "val"):
        for name in ("n01", "n02"):
            for number, (width, height) in enumerate(sizes):
                noise(tmp_path / split / name / f"{number}.JPEG", width, height)
    noise(tmp_path / "val" / "n02" / "grey.png", 260, 270, "L")
    return tmp_path


def test_images_of_all_sizes_become_squares_as_torchvision_makes_them(imagenet: Path) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    usual = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])
    dataset = load_data(f"imagenet:{imagenet}", split="test")
    assert dataset.images.shape == (11, 3, 224, 224) and len(dataset) == 11 and dataset.unit == 1 / 255
    assert (
        dataset.classes == ("n01", "n02") and dataset.labels is not None and sorted(dataset.labels) == [0] * 5 + [1] * 6
    )
    expected = [
        np.asarray(usual(Image.open(path).convert("RGB"))).transpose(2, 0, 1)
        for path in sorted((imagenet / "val").rglob("*.*"))
    ]
    found = {image.tobytes() for image in np.asarray(dataset.images)}
    assert found == {image.tobytes() for image in expected}


def test_only_what_is_used_is_read(imagenet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from snnc.models.data.sources import imagenet as source

    opened = []

    def counted(*arguments, **options):
        opened.append(arguments[2])
        return pictures.read_picture(*arguments, **options)

    monkeypatch.setattr(source, "read_picture", counted)
    spec = f"imagenet:{imagenet}"
    load_data(spec, split="train")
    assert opened == []
    drawn = calibration_data(spec, 4)
    assert len(opened) == 4 and isinstance(drawn.images, np.ndarray)
    assert drawn.labels is not None and sorted(drawn.labels) == [0, 0, 1, 1]
    opened.clear()
    taken = evaluation_data(spec, 3)
    assert len(opened) == 3 and isinstance(taken.images, np.ndarray) and len(taken) == 3
    opened.clear()
    whole = evaluation_data(spec)
    first = next(iter(chunks(whole, 2)))
    assert np.array_equal(first.images, whole.images[:2]) and raw_values(first).max() <= 1


def test_a_damaged_image_is_named_when_it_is_used(imagenet: Path) -> None:
    damaged = imagenet / "train" / "n01" / "2.JPEG"
    damaged.write_bytes(damaged.read_bytes()[:300])
    dataset = load_data(f"imagenet:{imagenet}", split="train")
    with pytest.raises(DataError, match=r"n01/2\.JPEG: not a readable image"):
        dataset.take(10)


@pytest.mark.parametrize(("spec", "message"), [("imagenet:", "no such folder.*ROOT holds"), ("imagenet:no", "no such")])
def test_a_missing_root_is_explained(spec: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(spec, split="train")


def test_lazy_images_are_indexed_like_an_array() -> None:
    values = np.arange(7 * 2 * 3 * 4, dtype=np.uint8).reshape(7, 2, 3, 4)
    lazy = LazyImages(7, (2, 3, 4), lambda index: values[index])
    assert (lazy.shape, lazy.ndim, lazy.size, lazy.dtype, len(lazy)) == ((7, 2, 3, 4), 4, 168, np.uint8, 7)
    assert np.array_equal(lazy[3], values[3]) and np.array_equal(lazy[-1], values[-1])
    for index in (slice(2, 5), slice(None), np.array([4, 0, 4]), np.array([], int), slice(0, 0)):
        assert np.array_equal(lazy[index], values[index])
    assert np.array_equal(np.asarray(lazy), values)
    assert np.array_equal(lazy[:, 1, 0], values[:, 1, 0]) and np.array_equal(lazy[2, 0], values[2, 0])
    assert np.array_equal(lazy * 0.5, values * 0.5) and np.array_equal(np.minimum(lazy, 9), np.minimum(values, 9))
    with pytest.raises(IndexError):
        lazy[7]


# ---- zip files ----


def zipped(path: Path, names: list[str], *, folders: bool = False) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            picture = path.parent / "picture.png"
            Image.new("L", (3, 4), number).save(picture)
            if folders and f"{name.rpartition('/')[0]}/" not in archive.namelist():
                archive.writestr(f"{name.rpartition('/')[0]}/", "")
            archive.write(picture, name)


def values(spec: Path, split: str) -> list[tuple[int, int]]:
    dataset = load_data(str(spec), split=split)
    assert dataset.images.shape[1:] == (1, 4, 3) and dataset.labels is not None and dataset.classes == ("a", "b")
    return sorted(zip(dataset.images[:, 0, 0, 0].tolist(), dataset.labels.tolist(), strict=True))


@pytest.mark.parametrize("folders", [False, True])
def test_a_zip_file_is_read_like_the_folder(tmp_path: Path, folders: bool) -> None:
    names = ["a/0.png", "b/0.png", "b/1.png", "b/.hidden.png", "b/notes.txt", "__MACOSX/b/0.png", ".git/x/0.png"]
    zipped(tmp_path / "flat.zip", names, folders=folders)
    assert values(tmp_path / "flat.zip", "train") == values(tmp_path / "flat.zip", "test") == [(0, 0), (1, 1), (2, 1)]
    zipped(tmp_path / "one.zip", [f"images/{name}" for name in names], folders=folders)
    assert values(tmp_path / "one.zip", "train") == [(0, 0), (1, 1), (2, 1)]
    zipped(tmp_path / "split.zip", ["d/train/a/0.png", "d/train/b/0.png", "d/val/b/0.png"], folders=folders)
    assert values(tmp_path / "split.zip", "train") == [(0, 0), (1, 1)]
    assert values(tmp_path / "split.zip", "test") == [(2, 1)]


def test_a_folder_of_zip_files_has_splits(tmp_path: Path) -> None:
    zipped(tmp_path / "train.zip", ["train/a/0.png", "train/b/0.png"])
    zipped(tmp_path / "test.zip", ["test/b/0.png"])
    assert values(tmp_path, "train") == [(0, 0), (1, 1)]
    assert values(tmp_path, "test") == [(0, 1)]


def test_unusable_zip_files_are_explained(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip file")
    with pytest.raises(DataError, match=r"text\.zip: not a readable zip file"):
        load_data(str(tmp_path / "text.zip"), split="train")
    zipped(tmp_path / "flat.zip", ["0.png"])
    with pytest.raises(DataError, match=r"flat\.zip: there are no class folders"):
        load_data(str(tmp_path / "flat.zip"), split="train")
    with zipfile.ZipFile(tmp_path / "broken.zip", "w") as archive:
        archive.writestr("a/0.png", "no picture")
    with pytest.raises(DataError, match=r"broken\.zip/a/0\.png: not a readable image"):
        load_data(str(tmp_path / "broken.zip"), split="train")
    with pytest.raises(DataError, match="no such folder"):
        load_data("missing.zip", split="train")
