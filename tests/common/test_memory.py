"""Memory that is looked at before it is taken."""

from __future__ import annotations

import resource
from pathlib import Path

import numpy as np
import pytest
import torch

import snnc.common.memory as memory
from snnc.cli import main
from snnc.common.errors import OptionError
from snnc.common.memory import available_memory, check_memory, gibibytes
from snnc.compiler import front
from snnc.compiler.conversion import profile as profile_activations
from snnc.models import digits_cnn
from snnc.models.training.batches import check_batch

CPU = torch.device("cpu")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands for what Linux tells: a machine with 8 GiB free."""
    (tmp_path / "meminfo").write_text("MemTotal:  16777216 kB\nMemAvailable:  8388608 kB\n")
    monkeypatch.setattr(memory, "_SYSTEM", tmp_path / "meminfo")
    group = tuple(tmp_path / name for name in ("max", "current", "stat"))
    monkeypatch.setattr(memory, "_GROUPS", (group,))
    monkeypatch.setattr(memory, "SHARE", 1)
    return tmp_path


def test_the_least_limit_counts(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert available_memory() == 8 << 30
    (system / "max").write_text("max\n")
    (system / "current").write_text(f"{3 << 30}\n")
    assert available_memory() == 8 << 30
    (system / "max").write_text(f"{4 << 30}\n")
    assert available_memory() == 1 << 30
    (system / "stat").write_text(f"anon 5\ninactive_file {1 << 29}\n")
    assert available_memory() == (1 << 30) + (1 << 29)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1, resource.RLIM_INFINITY))
    assert available_memory() == 0


def test_where_nobody_tells_nothing_is_refused(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    (system / "meminfo").unlink()
    assert available_memory() is None
    check_memory(1e30, "all of it", "take less")


def test_what_does_not_fit_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_memory", lambda device: 3 << 29)
    check_memory(3 << 29, "just enough", "take less")
    expected = r"a batch: would take more memory than there is \(expected at most 1.5 GiB, found 2 GiB\); take less"
    with pytest.raises(OptionError, match=expected):
        check_memory(2 << 30, "a batch", "take less")
    assert gibibytes(5 << 20) == "5 MiB"


def test_a_training_batch_that_cannot_fit_is_refused_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    network, sample = digits_cnn().train(), torch.zeros(1, 1, 8, 8)
    outputs: list[int] = []
    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(lambda _m, _i, output: outputs.append(output.numel()))
    network(sample)
    kept = 4 * sum(outputs)
    monkeypatch.setattr(memory, "available_memory", lambda device: 10 * kept)
    check_batch(network, sample, 10, CPU)
    assert network.training
    with pytest.raises(OptionError, match=r"batch size \(--batch-size\): would take more memory"):
        check_batch(network, sample, 11, CPU)


def test_profiling_halves_its_batches_and_finds_the_same_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    torch.save(digits_cnn(), tmp_path / "cnn.pt")
    sizes: list[int] = []
    whole = profile_activations.profile_batch
    monkeypatch.setattr(
        profile_activations, "profile_batch", lambda g, batch, p, s: (sizes.append(len(batch)), whole(g, batch, p, s))
    )
    command = ["compile", str(tmp_path / "cnn.pt"), "--calib", "digits", "--calib-samples", "100", "-T", "2"]
    assert main([*command, "-o", str(tmp_path / "one.net")]) == 0
    assert sizes == [64, 36]
    sizes.clear()
    monkeypatch.setattr(profile_activations, "available_memory", lambda: 4 * 20 * 2 * 16 * 8 * 8)
    assert main([*command, "-o", str(tmp_path / "two.net")]) == 0
    assert sum(sizes) == 100 and sizes[0] in (1, 2, 4, 8, 16)
    capsys.readouterr()


def test_memory_that_runs_out_all_the_same_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    messages = [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")]
    for error in messages:

        def fail(*_: object, raised: Exception = error, **__: object) -> None:
            raise raised

        monkeypatch.setattr("snnc.api.compile.load", fail)
        np.savez(tmp_path / "data.npz", x=np.zeros((1, 1, 8, 8), np.uint8))
        assert main(["run", "some.net", "--data", str(tmp_path / "data.npz")]) == 2
        assert capsys.readouterr().err == "error: memory ran out; take fewer samples or a smaller batch\n"


def test_a_network_that_memory_does_not_hold_is_refused_before_it_is_profiled(
    system: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(digits_cnn(), tmp_path / "model.pt")
    (system / "meminfo").write_text("MemAvailable:  300 kB\n")
    monkeypatch.setattr(front, "ProfileActivations", None)
    command = ("compile", tmp_path / "model.pt", "--calib", "digits", "-o", tmp_path / "out.net", "--max-pool", "avg")
    assert main([str(each) for each in command]) == 2
    assert "compiling this network: would take more memory than there is (expected at most 300 KiB" in (
        capsys.readouterr().err.replace("0.293 MiB", "300 KiB")
    )
    assert not (tmp_path / "out.net").exists()
