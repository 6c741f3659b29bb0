"""Files of torch.save: as it writes them, and put together from pickle's opcodes."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from snnc.common.errors import SnncError


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.BatchNorm2d(2),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(32, 4),
    )


def saved(value: object, path: Path, **options: object) -> Path:
    torch.save(value, path, **options)
    return path


def archive(path: Path, pickled: bytes, records: dict[str, bytes] | None = None, compression: int = 0) -> Path:
    """Write a zip archive of torch.save's form around a pickle."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("model/data.pkl", pickled)
        for name, content in (records or {}).items():
            file.writestr(f"model/{name}", content)
    return path


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def line(error: pytest.ExceptionInfo[SnncError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


LINEAR = text("torch.nn.modules.linear") + text("Linear") + b"\x93"
RELU = text("torch.nn.modules.activation") + text("ReLU") + b"\x93"
EMPTY_STATE = (
    text("_parameters") + b"}" + text("_buffers") + b"}" + text("_modules") + b"}" + text("training") + b"\x89"
)
