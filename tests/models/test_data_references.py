"""Data by ``module:attribute``: every kind of value, and what is said of others."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from snnc.common.errors import DataError
from snnc.models.data import load_data


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the working directory, under a name that no other test uses."""
    monkeypatch.chdir(tmp_path)
    name = "own_" + "".join(character if character.isalnum() else "_" for character in tmp_path.name)
    (tmp_path / f"{name}.py").write_text(
        "import numpy as np, torch\n"
        "from snnc.common.errors import DataError\n"
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
