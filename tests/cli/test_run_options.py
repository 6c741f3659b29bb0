"""``snnc run`` and ``snnc validate``: ``--stop-at``, ``--memory`` and ``--device``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import snnc
from snnc.cli import main
from snnc.common.devices import chosen_device
from snnc.common.errors import OptionError
from snnc.common.option_kinds import memory_size
from snnc.runtime.energy import count_operations
from snnc.runtime.simulator import Simulator

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("net") / "lenet.net"
    snnc.compile(DATA / "lenet.pt", str(DATA / "mnist.npz"), timesteps=4).save(path)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    capsys.readouterr()
    assert main([str(each) for each in arguments]) == code
    out, err = capsys.readouterr()
    return err if code else out


def test_stops_are_rows_of_a_table_and_forms_of_their_own(net: Path, capsys) -> None:
    command = ("run", net, "--data", DATA / "mnist.npz")
    lines = run(capsys, *command, "--stop-at", "2,1").splitlines()
    title = next(index for index, line in enumerate(lines) if line.startswith("steps"))
    assert lines[title].split() == ["steps", "accuracy", "spikes", "synaptic", "operations"]
    assert [line.split()[0] for line in lines[title + 2 : title + 5]] == ["1", "2", "4"]
    form = json.loads(run(capsys, *command, "--stop-at", "1,2,4", "--json"))
    plain = json.loads(run(capsys, *command, "--json"))
    earlier = form.pop("earlier")
    assert plain.pop("earlier") == [] and form == plain
    assert [each["timesteps"] for each in earlier] == [1, 2]
    assert all(each.keys() - {"earlier"} <= form.keys() for each in earlier)
    spikes = [each["per_sample"]["spikes"] for each in (*earlier, form)]
    assert spikes == sorted(spikes) and spikes[0] < spikes[2]


def test_the_operations_after_some_steps_are_those_of_a_shorter_run(net: Path) -> None:
    program = snnc.load(net)
    levels = np.random.default_rng(0).integers(0, 256, (3, *program.coding.shape)).astype(np.uint8)
    whole = Simulator(program).run(levels, stop_at=[3])
    cut = replace(program, timesteps=3)
    expected = count_operations(cut, Simulator(cut).run(levels))
    assert count_operations(program, whole.earlier[3], 3) == expected
    assert expected.inactive_updates < count_operations(program, whole).inactive_updates


def test_memory_and_device_change_nothing(net: Path, capsys) -> None:
    command = ("run", net, "--data", DATA / "mnist.npz", "--json")
    plain = run(capsys, *command)
    assert run(capsys, *command, "--memory", "200K") == plain
    assert run(capsys, *command, "--device", "auto") == plain
    validated = ("validate", net, "--model", DATA / "lenet.pt", "--data", DATA / "mnist.npz", "--no-lava", "--json")
    assert run(capsys, *validated, "--memory", "200K", "--device", "cpu") == run(capsys, *validated)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stop-at", "1,x"], "--stop-at: cannot be understood"),
        (["--stop-at", "5"], "stop at: is out of range (expected steps from 1 to 4, found 5)"),
        (["--stop-at", "1", "--backend", "loihi"], "stop at: is for the sim backend only (found backend loihi)"),
        (["--memory", "lots"], "--memory: cannot be understood (expected such as 512M or 2G, found 'lots')"),
        (["--memory", "1K"], "memory: is too small (expected at least 1 MiB for a step of 1 sample"),
        (["--memory", "1M", "--backend", "loihi"], "memory: is for the sim backend only"),
        (["--device", "abacus"], "--device: is no device (expected auto, cpu, cuda or cuda:NUMBER, found 'abacus')"),
        (["--device", "cuda:99"], "--device: there is no such GPU"),
    ],
)
def test_what_cannot_be_used_is_refused(net: Path, capsys, options: list[str], message: str) -> None:
    assert f"error: {message}" in run(capsys, "run", net, "--data", DATA / "mnist.npz", *options, code=2)


@pytest.mark.parametrize(
    ("text", "size"), [("2G", 2 << 30), ("512M", 512 << 20), ("512", 512 << 20), ("1.5KiB", 1536), ("3 mb", 3 << 20)]
)
def test_sizes_of_memory(text: str, size: int) -> None:
    assert memory_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1M", "1X", "M"])
def test_what_is_no_size_of_memory(text: str) -> None:
    with pytest.raises(OptionError, match="--memory"):
        memory_size(text)


def test_each_process_of_a_machine_takes_a_gpu_of_its_own(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = []
    for rank in range(3):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        found.append([str(chosen_device(name)) for name in ("auto", "cuda", "cuda:1", "cpu")])
    assert found == [[f"cuda:{rank % 2}", f"cuda:{rank % 2}", "cuda:1", "cpu"] for rank in range(3)]
