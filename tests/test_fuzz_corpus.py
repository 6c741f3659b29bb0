"""The files that fuzzing found to matter are read again: each gives a valid object or an error of snnc's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fuzzing.corpus import corpus
from fuzzing.limits import TooMuchMemoryError, within_memory
from fuzzing.seeds import seeds
from fuzzing.targets import TARGETS

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


def test_too_much_memory_is_noticed() -> None:
    with within_memory(64 << 20):
        assert len(bytearray(b"x" * (8 << 20))) == 8 << 20
    with pytest.raises(TooMuchMemoryError), within_memory(8 << 20):
        # Freed before it is looked at: it is the peak that counts.
        assert len(bytearray(b"x" * (64 << 20))) == 64 << 20
