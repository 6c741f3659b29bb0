"""What tests share: one torch thread, hypothesis profiles, skipping where Lava is missing, folders, commands."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Else importing torch.export, as of torch 2.3, starts a compiler's processes, which tests that count processes find.
os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"

import torch
from hypothesis import HealthCheck, settings
from joblib.externals.loky import reusable_executor
from support.command_line import Call, FullCall
from support.digits import Folder

from snnc.cli import main

# Two workers on two cores are faster than one that fights itself, and sums do not depend on the machine's cores.
torch.set_num_threads(1)

_QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
settings.register_profile("quick", deadline=None, max_examples=25, suppress_health_check=_QUIET)
# The same examples each time: a red CI run is always the commit's fault.
settings.register_profile("ci", settings.get_profile("quick"), derandomize=True, print_blob=True)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=200)
# For hours: what make reliability runs.
settings.register_profile("reliability", settings.get_profile("quick"), max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "quick"))


def _lava_is_missing() -> bool:
    try:
        return any(importlib.util.find_spec(name) is None for name in ("lava.magma.core", "lava.lib.dl.netx"))
    except ImportError:
        return True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what is marked ``lava`` where it cannot run."""
    if any(item.get_closest_marker("lava") for item in items) and _lava_is_missing():
        for item in items:
            if item.get_closest_marker("lava"):
                item.add_marker(pytest.mark.skip(reason="lava-nc and lava-dl are not installed"))


@pytest.fixture(autouse=True)
def no_workers_are_left() -> Iterator[None]:
    """Ends joblib's workers, which wait for more work, since other tests count processes and threads."""
    yield
    if reusable_executor._executor is not None:
        reusable_executor._executor.shutdown(wait=True, kill_workers=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all examples of a property."""
    return tmp_path_factory.mktemp("examples")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A trained network and its .net file."""
    return Folder(tmp_path_factory.mktemp("made"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> FullCall:
    """Runs a command whatever comes of it."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def works(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command that must succeed, without a word on stderr or with one warning, and returns what it printed."""

    def call(*arguments: object, code: int = 0, warning: str | None = None) -> str:
        capsys.readouterr()
        assert main([str(each) for each in arguments]) == code
        out, err = capsys.readouterr()
        if warning is not None:
            assert err.startswith("warning: ") and warning in err and err.count("\n") == 1
        else:
            assert code != 0 or err == ""
        return out

    return call


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], here: Path) -> Call:
    """Runs a command that must be refused: exit code 2, one line on stderr, no new file; returns the line."""

    def call(*arguments: object, code: int = 2) -> str:
        capsys.readouterr()
        before = sorted(here.rglob("*"))
        assert main([str(each) for each in arguments]) == code
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        assert sorted(here.rglob("*")) == before
        return err

    return call
