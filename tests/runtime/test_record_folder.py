"""Folders of records: one that a killed process left is removed by the next, one in use never."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.children import handles

from snnc.runtime.lava.running_network import RecordFolder

ROOT = Path(__file__).resolve().parents[2]
_MAKES_ONE = """
import sys
from snnc.runtime.lava.running_network import RecordFolder
folder = RecordFolder()
(folder.path / "spikes-0").write_text("0")
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def elsewhere(place: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has a folder, and the folder, which is an hour old."""
    process = subprocess.Popen(
        [sys.executable, "-c", _MAKES_ONE],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(place)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert folder.parent == place
        aged(folder)
        yield process, folder
        process.kill()


def aged(path: Path) -> None:
    os.utime(path, (path.stat().st_atime - 3600, path.stat().st_mtime - 3600))


def test_what_a_killed_process_left_is_removed_by_the_next_one(place: Path) -> None:
    with elsewhere(place) as (process, folder):
        process.kill()
        process.wait()
        assert (folder / "spikes-0").exists()
        own = RecordFolder()
    assert list(place.iterdir()) == [own.path]
    own.remove()
    assert list(place.iterdir()) == []


def test_what_is_in_use_stays(place: Path) -> None:
    with elsewhere(place) as (_, folder):
        first = RecordFolder()
        aged(first.path)
        second = RecordFolder()
        assert (folder / "spikes-0").exists() and first.path.exists()
        first.remove()
        second.remove()


def test_what_has_another_name_or_is_no_folder_stays(place: Path) -> None:
    others = [place / "snnc-lab-1", place / "lava-1", place / "snnc-lava-file", place / "snnc-lava-link"]
    for each in others[:2]:
        each.mkdir()
    others[2].touch()
    others[3].symlink_to(others[0])
    for each in others[:3]:
        aged(each)
    RecordFolder().remove()
    assert sorted(place.iterdir()) == sorted(others)


def test_no_handle_is_left() -> None:
    before = handles()
    for _ in range(3):
        RecordFolder().remove()
    assert handles() == before


@pytest.mark.filterwarnings("ignore:Implicitly cleaning up:ResourceWarning")
def test_neither_handle_nor_folder_is_left_of_one_that_nobody_removed(place: Path) -> None:
    before = handles()
    folder = RecordFolder()
    assert folder.path.exists()
    del folder
    assert handles() == before and list(place.iterdir()) == []
