"""The state of an unfinished training run in a file: all that is needed to go on as if nothing had happened."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from snnc.common.errors import ModelError
from snnc.models.training.engine import Epoch
from snnc.models.training.options import TrainingOptions, check_same

__all__ = ["Checkpoint", "CheckpointFile", "plain_state", "random_state", "set_random_state", "state_before"]

_KINDS = {"snnc train": "snnc training", "snnc finetune": "snnc fine-tuning"}
_VERSION = 1
_ZIP_START = b"PK\x03\x04"
_KEYS = ("settings", "epochs", "state_dict", "optimizer", "schedule", "random")


@dataclass(frozen=True)
class Checkpoint:
    """The state after an epoch.

    Attributes:
        settings: As :func:`snnc.models.training.options.settings_of` gives them.
        epochs: What was measured in each epoch so far.
        state_dict: The network's.
        optimizer: The optimizer's state_dict.
        schedule: The learning rate schedule's state_dict.
        random: States of torch's generators, by device.
        best: The network's state_dict after the best epoch on held-out images; None: there are none.
    """

    settings: dict[str, object]
    epochs: list[Epoch]
    state_dict: dict[str, Any]
    optimizer: dict[str, Any]
    schedule: dict[str, Any]
    random: dict[str, torch.Tensor]
    best: dict[str, Any] | None = None


class CheckpointFile:
    """Where the state of a run is kept.

    The network's weights are under ``state_dict``, where ``snnc compile`` finds them too.

    Args:
        path: The file.
        write: Writes bytes to a file whole or not at all.
        command: The command whose runs are kept in it.
    """

    def __init__(self, path: Path, write: Callable[[Path, bytes], None], command: str = "snnc train") -> None:
        self.path = path
        self._write = write
        self._command = command
        self._kind = _KINDS[command]

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the file's content.

        Raises:
            OutputError: It cannot be written; what was there before is still there.
        """
        content = io.BytesIO()
        form = {key: getattr(checkpoint, key) for key in _KEYS}
        form["epochs"] = [asdict(epoch) for epoch in checkpoint.epochs]
        if checkpoint.best is not None:
            form["best"] = checkpoint.best
        torch.save({"kind": self._kind, "version": _VERSION, **form}, content)
        self._write(self.path, content.getvalue())

    def load(self) -> Checkpoint:
        """Read the file, without running any code from it.

        Returns:
            What was saved, on the CPU.

        Raises:
            ModelError: There is no such file, or it is damaged or something else.
        """
        where = str(self.path)
        try:
            content = _read(self.path)
        except FileNotFoundError:
            raise ModelError("no such file", where=where, advice="leave --resume out to begin anew") from None
        except Exception as error:  # Damage shows as any exception, out of zipfile, pickle or torch.
            raise ModelError(
                "not a readable checkpoint", where=where, found=type(error).__name__, advice="delete it to begin anew"
            ) from error
        if not isinstance(content, dict) or content.get("kind") != self._kind:
            raise ModelError(f"is no checkpoint of {self._command}", where=where)
        if content.get("version") != _VERSION or not all(key in content for key in _KEYS):
            raise ModelError(
                "is a checkpoint of another version of snnc",
                where=where,
                expected=f"version {_VERSION}",
                found=f"version {content.get('version')}",
                advice="delete it to begin anew",
            )
        form = {key: content[key] for key in _KEYS}
        form["epochs"] = [Epoch(**epoch) for epoch in form["epochs"]]
        return Checkpoint(**form, best=content.get("best"))


def _read(path: Path) -> Any:
    """Return what ``torch.save`` wrote as a zip archive, the only form in which a state is kept.

    In others ``weights_only`` is no protection: before PyTorch 2.6 a tar archive runs code (CVE-2025-32434), and a
    TorchScript archive is handed to another reader.
    """
    with path.open("rb") as file:
        with zipfile.ZipFile(file) as archive:
            names = [info.filename for info in archive.infolist()]
            size = sum(info.file_size for info in archive.infolist())
        file.seek(0)
        # What torch.load goes by: a tar archive may have a zip archive at its end.
        begins = file.read(len(_ZIP_START)) == _ZIP_START
        if not begins or any(name.endswith("/constants.pkl") for name in names) or size > path.stat().st_size:
            raise ValueError("an archive of another kind, or one that is compressed")
        file.seek(0)
        return torch.load(file, map_location="cpu", weights_only=True)


def state_before(
    checkpoints: CheckpointFile | None, resume: bool, options: TrainingOptions, settings: Mapping[str, object]
) -> Checkpoint | None:
    """Return the state that a run goes on from; None: it begins anew.

    Args:
        checkpoints: Where it is kept.
        resume: Whether to go on from there.
        options: The run's.
        settings: Its settings, as :func:`snnc.models.training.options.settings_of` gives them.

    Raises:
        OptionError: The state is of a run with other settings.
        ModelError: It cannot be read.
    """
    if checkpoints is None or not resume:
        return None
    before = checkpoints.load()
    check_same(options, settings, before.settings, str(checkpoints.path))
    return before


def plain_state(module: nn.Module) -> dict[str, Any]:
    """Return a module's state_dict on the CPU, in the usual order in memory, apart from the module's own tensors."""
    state = module.state_dict()
    for key, value in state.items():
        state[key] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
    return state


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Return the states of torch's generators that a run on a device draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(states: dict[str, torch.Tensor], device: torch.device) -> None:
    """Put torch's generators back into states that ``random_state`` gave, perhaps on another kind of device.

    Without any, as in the checkpoints that ``snnc finetune`` wrote before it shared the engine, nothing happens: its
    epochs draw from seeds of their own.
    """
    if "cpu" in states:
        torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
