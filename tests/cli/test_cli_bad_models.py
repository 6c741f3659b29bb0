"""Commands given models that cannot be used say so in one line, and run nothing of them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from support.command_line import Call
from support.digits import Folder
from torch import nn


def test_a_missing_model(refused: Call) -> None:
    assert "nothere.pt: no such file" in refused("compile", "nothere.pt", "--calib", "digits")


@pytest.mark.parametrize("content", [b"", b"hello, this is no network" * 10], ids=["empty", "text"])
def test_a_file_that_torch_did_not_write(here: Path, refused: Call, content: bytes) -> None:
    (here / "model.pt").write_bytes(content)
    assert "model.pt" in refused("compile", "model.pt", "--calib", "digits")


@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
def test_a_truncated_model(made: Folder, here: Path, refused: Call, part: float) -> None:
    content = made.model.read_bytes()
    (here / "model.pt").write_bytes(content[: int(len(content) * part)])
    assert "model.pt" in refused("compile", "model.pt", "--calib", "digits")


class Own(nn.Module):
    """A class that torch does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)


class Attack:
    """Unpickling it would make a folder."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("attacked",)


def test_a_model_of_the_users_own_class_needs_trust(here: Path, refused: Call) -> None:
    (here / "model.pt").write_bytes(b"")
    torch.save(Own(), here / "model.pt")
    line = refused("compile", "model.pt", "--calib", "digits")
    assert "Own" in line
    assert "--trust" in line


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_a_model_that_would_run_code_is_refused_and_runs_none(here: Path, refused: Call, writer: str) -> None:
    if writer == "torch":
        torch.save(Attack(), here / "model.pt")
    else:
        (here / "model.pt").write_bytes(pickle.dumps(Attack()))
    refused("compile", "model.pt", "--calib", "digits")
    assert not (here / "attacked").exists()


def test_a_state_dict_that_does_not_fit_names_the_keys(made: Folder, here: Path, refused: Call) -> None:
    state = torch.load(made.model, weights_only=False).state_dict()
    state["extra.weight"] = state.pop("0.weight")
    torch.save(state, here / "state.pt")
    line = refused("compile", "state.pt", "--arch", "snnc.models:digits_cnn", "--calib", "digits")
    assert "0.weight" in line
    assert "extra.weight" in line


def test_a_state_dict_alone_asks_for_its_architecture(made: Folder, here: Path, refused: Call) -> None:
    torch.save(torch.load(made.model, weights_only=False).state_dict(), here / "state.pt")
    assert "--arch" in refused("compile", "state.pt", "--calib", "digits")


@pytest.mark.parametrize("layer", [nn.GroupNorm(2, 4), nn.Sigmoid(), nn.Upsample(scale_factor=2)])
def test_an_operation_that_cannot_be_compiled_is_named(here: Path, refused: Call, layer: nn.Module) -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), layer, nn.Flatten())
    size = network(torch.zeros(1, 1, 8, 8)).shape[1]
    torch.save(nn.Sequential(*network, nn.Linear(size, 3)), here / "m.pt")
    line = refused("compile", "m.pt", "--calib", "digits")
    assert line.startswith("error: module 2: ")
    assert type(layer).__name__ in line
