"""Training: the loop, the data it is fed, augmentation, evaluation, and checkpoints to resume from."""

from __future__ import annotations

from snnc.models.training.augmentation import AUGMENTATIONS
from snnc.models.training.checkpoint import CheckpointFile
from snnc.models.training.engine import Epoch
from snnc.models.training.evaluation import accuracy, logits
from snnc.models.training.session import Data, train_network
from snnc.models.training.settings import TrainingSettings, default_learning_rate, recipe
from snnc.models.training.small import train

__all__ = [
    "AUGMENTATIONS",
    "CheckpointFile",
    "Data",
    "Epoch",
    "TrainingSettings",
    "accuracy",
    "default_learning_rate",
    "logits",
    "recipe",
    "train",
    "train_network",
]
