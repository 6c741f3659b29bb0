"""Commands given options or data that cannot be used say so in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command_line import Call
from support.digits import Folder

from snnc.runtime.lava import lava_available


@pytest.mark.parametrize("timesteps", ["0", "-1", "1025", "100000000000"])
def test_timesteps_out_of_range(made: Folder, refused: Call, timesteps: str) -> None:
    line = refused("compile", made.model, "--calib", "digits", "-T", timesteps, "-o", "out.net")
    assert "-T" in line
    assert "1..1024" in line


@pytest.mark.parametrize(
    "options",
    [
        ("-T", "eight"),
        ("-T",),
        ("-T", "8.5"),
        ("--threshold", "best"),
        ("--target", "truenorth"),
        ("--mean", "a"),
        ("--mean", "nan"),
        ("--mean", "0.1,0.2"),
        ("--std", "0"),
        ("--std", "inf"),
        ("--std", ""),
        ("--calib-samples", "0"),
        ("--arch", "snnc.models:digits_cnn"),
        ("--nonsense",),
        ("extra", "argument"),
    ],
    ids=" ".join,
)
def test_options_that_cannot_be_used(made: Folder, refused: Call, options: tuple[str, ...]) -> None:
    refused("compile", made.model, "--calib", "digits", "-o", "out.net", *options)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run",),
        ("run", "NET"),
        ("run", "NET", "--data", "digits", "--samples", "0"),
        ("run", "NET", "--data", "digits", "--samples", "-3"),
        ("run", "NET", "--data", "digits", "--batch-size", "0"),
        ("run", "NET", "--data", "digits", "--backend", "gpu"),
        ("validate", "NET", "--data", "digits"),
        ("validate", "NET", "--data", "digits", "--model", "MODEL", "--lava-samples", "0"),
        ("validate", "NET", "--data", "digits", "--model", "MODEL", "--max-drop", "-1", "--no-lava"),
        ("validate", "NET", "--data", "digits", "--model", "MODEL", "--max-drop", "nan", "--no-lava"),
        ("demo", "--lava-samples", "0"),
        ("demo", "-o", "digits.pt"),
    ],
    ids=" ".join,
)
def test_wrong_use_gets_one_line(made: Folder, refused: Call, arguments: tuple[str, ...]) -> None:
    refused(*({"NET": made.net, "MODEL": made.model}.get(each, each) for each in arguments))


def test_the_drop_can_only_be_judged_of_what_decides(made: Folder, here: Path, refused: Call) -> None:
    np.savez(here / "data.npz", x=np.zeros((4, 1, 8, 8), np.uint8), y=np.zeros((4, 10), np.float32))
    line = refused("validate", made.net, "--model", made.model, "--data", "data.npz", "--no-lava", "--max-drop", "1")
    assert "outputs that are values" in line


def test_loihi_without_intels_extension_says_what_to_do(made: Folder, refused: Call) -> None:
    line = refused("run", made.net, "--data", "digits", "--samples", "1", "--backend", "loihi")
    assert "Intel's Neuromorphic Research Community" in line
    assert "--backend lava" in line


@pytest.mark.skipif(lava_available() is None, reason="Lava is installed")
def test_lava_that_is_demanded_but_not_installed(made: Folder, refused: Call) -> None:
    refused("run", made.net, "--data", "digits", "--samples", "1", "--backend", "lava")
    refused("validate", made.net, "--model", made.model, "--data", "digits", "--lava")
    refused("demo", "--lava")


def test_calibration_data_are_required(made: Folder, refused: Call) -> None:
    line = refused("compile", made.model)
    assert line.startswith("error: --calib: is missing")
    assert "digits" in line


@pytest.mark.parametrize(
    ("images", "word"),
    [
        (np.zeros((4, 3, 8, 8), np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None, None], "shape"),
        (np.zeros((4, 1, 5, 5), np.float32) + np.arange(4, dtype=np.float32)[:, None, None, None], "shape"),
        (np.zeros((4, 8), np.float32), "of the shape that it was trained on"),
        (np.zeros((0, 1, 8, 8), np.float32), "no images"),
        (np.full((4, 1, 8, 8), np.nan, np.float32), "NaN"),
        (np.full((4, 1, 8, 8), np.inf), "NaN"),
        (np.zeros((4, 1, 8, 8), np.float32), "equal"),
        (np.zeros((4, 8, 8, 1, 1), np.float32), "shape"),
    ],
    ids=["channels", "size", "features", "empty", "NaN", "infinite", "constant", "axes"],
)
def test_calibration_data_that_cannot_be_used(
    made: Folder, here: Path, refused: Call, images: np.ndarray[Any, Any], word: str
) -> None:
    np.savez(here / "data.npz", x=images)
    assert word in refused("compile", made.model, "--calib", "data.npz", "-o", "out.net")


@pytest.mark.parametrize("spec", ["nothere.npz", "nothere/", "", "nomodule:attribute", "word"])
def test_data_that_do_not_exist(made: Folder, refused: Call, spec: str) -> None:
    refused("compile", made.model, "--calib", spec, "-o", "out.net")
    refused("run", made.net, "--data", spec)
    refused("validate", made.net, "--model", made.model, "--data", spec)


def test_data_whose_shape_does_not_fit_the_net(made: Folder, here: Path, refused: Call) -> None:
    np.savez(here / "data.npz", x=np.zeros((4, 1, 9, 9), np.uint8))
    for command in (("run",), ("validate", "--model", made.model, "--no-lava")):
        line = refused(command[0], made.net, "--data", "data.npz", *command[1:])
        assert "expected samples of shape (1, 8, 8), found (1, 9, 9)" in line
