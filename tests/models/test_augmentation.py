"""What augmentation does to images, and batches of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from snnc.common.errors import DataError
from snnc.models.data import Dataset
from snnc.models.training.augmentation import Augmentation
from snnc.models.training.batches import DatasetBatches


def test_crops_are_windows_of_the_padded_image() -> None:
    torch.manual_seed(0)
    image = torch.arange(1, 33, dtype=torch.uint8).expand(1, 1, 32, 32)
    found = Augmentation(["crop"]).before_normalisation(image.expand(400, 1, 32, 32))
    assert found.dtype == torch.uint8
    padded = nn.functional.pad(image, (4, 4, 4, 4))[0]
    allowed = {padded[:, y : y + 32, x : x + 32].numpy().tobytes() for y in range(9) for x in range(9)}
    kinds = {each.numpy().tobytes() for each in found}
    assert kinds <= allowed and len(kinds) > 40


def test_half_of_the_images_are_flipped() -> None:
    torch.manual_seed(0)
    images = torch.rand(200, 3, 5, 7)
    found = Augmentation(["flip"]).before_normalisation(images)
    flipped = [torch.equal(after, before.flip(2)) for before, after in zip(images, found, strict=True)]
    kept = [torch.equal(after, before) for before, after in zip(images, found, strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True)) and 70 < sum(flipped) < 130


def test_cutout_clears_a_square_of_all_channels() -> None:
    torch.manual_seed(0)
    found = Augmentation(["cutout"]).after_normalisation(torch.ones(100, 3, 32, 32))
    assert torch.equal(found[:, 0], found[:, 2])
    for image in found[:, 0] == 0:
        rows, columns = image.any(1).sum().item(), image.any(0).sum().item()
        assert image.sum() == rows * columns and min(rows, columns) >= 8 and max(rows, columns) <= 16


def test_autoaugment_keeps_shape_and_type_and_can_be_repeated() -> None:
    pytest.importorskip("torchvision")
    images = torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8)
    results = []
    for _ in range(2):
        torch.manual_seed(5)
        results.append(Augmentation(["autoaugment"]).before_normalisation(images))
    assert torch.equal(*results) and results[0].shape == images.shape and not torch.equal(results[0], images)
    with pytest.raises(DataError, match=r"autoaugment.*uint8.*float32"):
        Augmentation(["autoaugment"]).check(np.zeros((1, 3, 4, 4), np.float32), "data")


def test_batches_are_normalised() -> None:
    images = np.full((2, 2, 1, 1), 51, np.uint8)
    images[:, 1] = 255
    batches = DatasetBatches(Dataset("d", images, np.array([0, 1]), 1 / 255), (0.2, 0.5), (0.5, 0.25))
    found, labels = batches.draw(torch.tensor([1]))
    torch.testing.assert_close(found.flatten(), torch.tensor([0.0, 2.0]), atol=1e-6, rtol=0)
    assert labels.tolist() == [1]
