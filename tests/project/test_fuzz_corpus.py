"""The files that fuzzing found to matter are read again: each gives a valid object or an error of snnc's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.fuzzing.corpus import corpus
from support.fuzzing.seeds import seeds
from support.fuzzing.targets import TARGETS

TESTS = Path(__file__).parents[1]
PACKAGES = {"nir": "nir", "onnx": "onnx"}
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's account of memory is Linux's")


@pytest.fixture(params=TARGETS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    pytest.importorskip(PACKAGES.get(name, "snnc"))
    return name


def test_right_files_are_accepted(tmp_path: Path, kind: str) -> None:
    """What fuzzing starts from; else it would look at refusals alone."""
    assert all(TARGETS[kind].check(content, tmp_path) for content in seeds(kind))


def test_kept_files_give_an_error_or_an_object(tmp_path: Path, kind: str) -> None:
    files = corpus(kind)
    assert files
    for content in files.values():
        TARGETS[kind].check(content, tmp_path)


# Freed before it is looked at: it is the peak that counts.
_TAKES_MEMORY = """
import sys
from support.fuzzing.limits import TooMuchMemoryError, within_memory
try:
    with within_memory(int(sys.argv[1]) << 20):
        assert len(bytearray(b"x" * (64 << 20))) == 64 << 20
except TooMuchMemoryError:
    print("too much")
else:
    print("little enough")
"""


@pytest.mark.parametrize(("mebibytes", "answer"), [(8, "too much"), (256, "little enough")])
def test_too_much_memory_is_noticed(mebibytes: int, answer: str) -> None:
    # In a process of its own: in one that ran many tests, what is collected meanwhile, or what the kernel takes back
    # of a program's own pages, hides what is taken.
    python = subprocess.run(
        [sys.executable, "-c", _TAKES_MEMORY, str(mebibytes)],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert python.stdout.strip() == answer
