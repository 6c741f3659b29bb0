"""Data in folders of images, and images that cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.images import write_image

from snnc.common.errors import DataError
from snnc.models.data import load_data
from snnc.models.data.sources import folder


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
    with pytest.raises(DataError, match=r"is a file of a form that is not read as data .*FOLDER or FILE\.zip"):
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
    with pytest.raises(DataError, match=r"0\.png: not a readable image \(expected one of BMP, .*found .*truncated\)$"):
        load_data(str(tmp_path / "broken"), split="train")
    write_image(tmp_path / "late" / "a" / "0.png")
    (tmp_path / "late" / "a" / "1.png").write_text("no image")
    with pytest.raises(DataError, match=r"1\.png: not a readable image .*found something else\)$"):
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


@pytest.mark.parametrize("form", ["SGI", "TGA", "PCX"])
def test_a_rare_form_of_picture_is_not_read_whatever_its_name(tmp_path: Path, form: str) -> None:
    write_image(tmp_path / "a" / "0.png")
    Image.new("L", (4, 3), 1).save(tmp_path / "a" / "1.png", format=form)
    with pytest.raises(DataError, match=r"1\.png: not a readable image .*found something else\)$"):
        load_data(str(tmp_path), split="train")
