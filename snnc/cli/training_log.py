"""How a training run is told: a line for each epoch, and a log."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snnc.models.training import Epoch, TrainingSettings

__all__ = ["augmentations", "epoch_line", "list_option", "log_content", "run_form"]


def augmentations(text: str) -> tuple[str, ...]:
    """``crop,flip`` as names; none for ``none``."""
    return () if text == "none" else tuple(text.split(","))


def list_option(values: Sequence[float]) -> str:
    """Numbers as an option takes them: ``0.5,0.25``."""
    return ",".join(f"{value:g}" for value in values)


def epoch_line(epoch: Epoch, epochs: int) -> str:
    """An epoch of so many, in one line; accuracy on held-out images where there are any."""
    held_out = "" if epoch.held_out_accuracy is None else f"held out {100 * epoch.held_out_accuracy:6.2f} %  "
    return (
        f"epoch {epoch.epoch:>{len(str(epochs))}}/{epochs}  learning rate {epoch.learning_rate:<9.4g} "
        f"loss {epoch.loss:<8.4f} train {100 * epoch.train_accuracy:6.2f} %  {held_out}"
        f"test {100 * epoch.test_accuracy:6.2f} %  {epoch.seconds:.1f} s"
    )


def run_form(settings: TrainingSettings, history: Sequence[Epoch]) -> dict[str, object]:
    """Settings and epochs of a run as a JSON object."""
    return {"settings": settings.form(), "epochs": [asdict(epoch) for epoch in history]}


def log_content(settings: TrainingSettings, history: Sequence[Epoch]) -> bytes:
    """The same as the content of a file."""
    return (json.dumps(run_form(settings, history), indent=2, allow_nan=False) + "\n").encode()
