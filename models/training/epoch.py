"""What is measured in an epoch of training."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Epoch"]


@dataclass(frozen=True)
class Epoch:
    """What was measured in an epoch.

    Attributes:
        epoch: Its number, from 1.
        loss: Mean loss of the training images, as they were shown.
        train_accuracy: Share of these that were right, 0..1.
        test_accuracy: Share of the test images that are right behind the epoch, 0..1.
        learning_rate: That of the epoch's first step.
        seconds: How long the epoch and its test took.
        held_out_accuracy: Share of the held-out images that are right behind the epoch, 0..1; None: none were.
    """

    epoch: int
    loss: float
    train_accuracy: float
    test_accuracy: float
    learning_rate: float
    seconds: float
    held_out_accuracy: float | None = None
