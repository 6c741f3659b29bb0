"""What outputs mean, and labels and targets in the forms that users have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from snnc.common.errors import DataError
from snnc.inputs.tasks import matched_to, target_error
from snnc.models.data import make_dataset

X = np.zeros((4, 3), np.float32)
NUMBERS = np.array([0, 2, 1, 2])
HOT = np.eye(3)[NUMBERS]


@pytest.mark.parametrize(
    "labels", [NUMBERS, NUMBERS[:, None], NUMBERS.astype(np.float32), HOT.astype(np.int64), HOT, HOT.astype(bool)]
)
def test_class_labels_of_any_form_are_class_numbers(labels: Any) -> None:
    found = matched_to((3,), make_dataset("data", X, labels))
    assert found.task == "classes" and found.dataset.labels is not None
    assert found.dataset.labels.tolist() == NUMBERS.tolist()


@pytest.mark.parametrize(
    "labels",
    [[0, 1, 1, 0], [[0], [1], [1], [0]], [-1, 1, 1, -1], [False, True, True, False], [0.0, 1, 1, 0], [-1.0, 1, 1, -1]],
)
def test_one_output_with_two_labels_decides_by_its_sign(labels: Any) -> None:
    found = matched_to((1,), make_dataset("data", X, np.array(labels)))
    assert found.task == "sign" and found.dataset.labels is not None
    assert found.dataset.labels.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("shape", "targets"),
    [
        ((1,), np.array([0.5, 1, -2, 3])),
        ((1,), np.array([[0.5], [1], [-2], [3]])),
        ((1,), np.array([12, 80, 33, 7])),
        ((2,), np.arange(8.0).reshape(4, 2)),
        ((1, 2, 2), np.arange(16.0).reshape(4, 2, 2)),
        ((1, 2, 2), np.arange(16.0).reshape(4, 1, 2, 2)),
    ],
)
def test_values_have_targets_of_the_shape_of_the_outputs(shape: tuple[int, ...], targets: Any) -> None:
    found = matched_to(shape, make_dataset("data", X, targets))
    assert found.task == "values" and found.dataset.labels is None and found.dataset.targets is not None
    assert found.dataset.targets.shape == (4, *shape)
    assert np.array_equal(found.dataset.targets.ravel(), targets.ravel())


@pytest.mark.parametrize(
    ("shape", "labels", "task", "words"),
    [
        ((3,), [1, 2, 3, 1], None, "from 1 to 3, and classes are counted from 0"),
        ((1,), [1, 2, 2, 1], None, "from 1 to 2, and classes are counted from 0"),
        ((3,), [0, 7, 1, 2], None, "a label has no output.*0 to 2, for 3 outputs.*7 at index 1"),
        ((1,), [0, 3, 1, 2], "sign", "a label has no output.*3 at index 1.*--task values"),
        ((3,), [0.5, 1.5, 2, 1], None, r"the targets do not fit the outputs.*\(N, 3\).*\(4,\)"),
        ((3,), [0.5, 1.5, 2, 1], "classes", "no classes of the network.*0 to 2"),
        ((1, 2, 2), np.zeros((4, 3)), None, r"the targets do not fit the outputs.*\(N, 1, 2, 2\)"),
        ((3,), [0, 1, 2, 1], "sign", "a sign is of one output"),
        ((5,), HOT, None, "no classes of the network.*0 to 4"),
    ],
)
def test_labels_that_fit_no_output_are_refused_by_name(
    shape: tuple[int, ...], labels: Any, task: Any, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        matched_to(shape, make_dataset("data", X, np.array(labels)), task)


def test_labels_from_one_are_seen_in_a_part_of_the_data_too() -> None:
    part = make_dataset("data", X, np.array([1, 2, 3, 1])).take(2)
    with pytest.raises(DataError, match="from 1 to 3"):
        matched_to((3,), part)


def test_class_labels_say_nothing_of_images_and_a_note_says_so() -> None:
    found = matched_to((1, 2, 2), make_dataset("data", X, NUMBERS))
    assert found.task == "values" and found.dataset.targets is None and "class numbers" in found.notes[0]


def test_errors_from_targets() -> None:
    targets = np.array([[[0.0, 1.0]], [[2.0, 3.0]]])
    found = target_error(targets[:, :, None] + 0.5, targets[:, :, None])
    assert found is not None and found.rmse == 0.5 and found.explained == pytest.approx(1 - 4 * 0.25 / 4)
    assert found.psnr == pytest.approx(20 * np.log10(3 / 0.5), abs=1e-2)
    assert target_error(targets, None) is None


@pytest.mark.parametrize("labels", [[np.nan, 1.0, 2, 3], [1.0, 2.0]])
def test_targets_that_cannot_be_used_are_refused(labels: Any) -> None:
    with pytest.raises(DataError, match="the targets"):
        make_dataset("data", X, np.array(labels))
