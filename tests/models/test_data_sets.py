"""Data sets in memory: samples, subsets, types, and what is said of unusable ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.images import some_images

from snnc.common.errors import DataError, OptionError
from snnc.models.data import Dataset, check_dataset, make_dataset
from snnc.models.data.dataset import shuffled


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
        (
            np.zeros((2, 3, 3), np.uint8),
            None,
            r"wrong shape .*found \(2, 3, 3\)\); grey images .* need a channel axis",
        ),
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
        (some_images(3), np.zeros(3, complex), "found complex128"),
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
