"""Commands given .net files that cannot be used say so in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.command_line import Call
from support.digits import Folder

from snnc.cli import main


def broken(made: Folder, here: Path, change: Callable[[h5py.File], None]) -> Path:
    path = here / "broken.net"
    path.write_bytes(made.net.read_bytes())
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def newer(file: h5py.File) -> None:
    file["snnc"].attrs["format_version"] = 1000


def foreign(file: h5py.File) -> None:
    del file["snnc"]


def odd(file: h5py.File) -> None:
    file["layer/1/weight"][0, 0, 0, 0] = 3


def other_threshold(file: h5py.File) -> None:
    file["layer/1/neuron/vThMant"][()] = 1


def fewer(file: h5py.File) -> None:
    del file["layer/5"]


def stranger(file: h5py.File) -> None:
    file["snnc"].attrs["surprise"] = 1


def no_timesteps(file: h5py.File) -> None:
    file["snnc"].attrs["timesteps"] = 0


def wrong_shape(file: h5py.File) -> None:
    del file["layer/1/weight"]
    file["layer/1/weight"] = np.zeros((16, 2, 3, 3), np.int16)


@pytest.mark.parametrize("change", [newer, odd, other_threshold, fewer, stranger, no_timesteps, wrong_shape])
def test_a_net_that_contradicts_itself(
    made: Folder, here: Path, refused: Call, change: Callable[[h5py.File], None]
) -> None:
    path = broken(made, here, change)
    line = refused("inspect", path)
    assert "broken.net" in line
    if change is newer:
        assert "update snnc" in line
    assert refused("run", path, "--data", "digits") == line
    assert refused("validate", path, "--model", made.model, "--data", "digits") == line


def test_what_is_left_without_our_part_is_anyones_netx(made: Folder, here: Path, works: Call, refused: Call) -> None:
    path = broken(made, here, foreign)
    assert "netx of lava-dl" in works("inspect", path)
    assert "was not written by snnc" in refused("validate", path, "--model", made.model, "--data", "digits")


@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_net(made: Folder, here: Path, refused: Call, part: float) -> None:
    content = made.net.read_bytes()
    (here / "cut.net").write_bytes(content[: int(len(content) * part)])
    assert "cut.net" in refused("inspect", "cut.net")


@pytest.mark.parametrize("place", range(0, 100, 7))
def test_a_damaged_net_never_ends_in_a_traceback(made: Folder, here: Path, place: int) -> None:
    content = bytearray(made.net.read_bytes())
    start = len(content) * place // 100
    content[start : start + 64] = bytes(64)
    (here / "damaged.net").write_bytes(content)
    assert main(["inspect", "damaged.net"]) in (0, 2)


def test_a_net_that_is_no_hdf5(made: Folder, here: Path, refused: Call) -> None:
    (here / "text.net").write_text("hello")
    assert "not an HDF5 file" in refused("inspect", "text.net")
    assert "HDF5" in refused("inspect", made.model)
    (here / "folder.net").mkdir()
    assert "folder" in refused("inspect", "folder.net")
