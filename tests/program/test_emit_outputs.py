"""Writing the file: where that fails, one clear error, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.programs import assert_same
from support.written_programs import sample

from snnc.common.errors import OutputError
from snnc.program.net import load, save


def remains(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_a_folder_that_is_missing_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such file or directory"):
        save(sample(), tmp_path / "missing" / "a.net")
    assert remains(tmp_path) == []


def test_a_path_that_is_a_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "a.net").mkdir()
    with pytest.raises(OutputError, match=r"a\.net"):
        save(sample(), tmp_path / "a.net")
    assert remains(tmp_path) == ["a.net"] and remains(tmp_path / "a.net") == []


def test_a_path_below_a_file_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError):
        save(sample(), tmp_path / "file" / "a.net")
    assert remains(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "kept"


def test_a_name_that_is_too_long_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        save(sample(), tmp_path / ("a" * 300))
    assert remains(tmp_path) == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("place", ["os.fsync", "pathlib.Path.replace"])
def test_a_failure_half_way_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, place: str
) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(b"old")

    def fails(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(place, fails)
    with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
        save(sample(), path)
    monkeypatch.undo()
    assert remains(tmp_path) == ["a.net"] and path.read_bytes() == b"old"


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_bytes(b"old")
    save(sample(), tmp_path / "a.net")
    assert remains(tmp_path) == ["a.net"]
    assert_same(load(tmp_path / "a.net"), sample())
    assert (tmp_path / "a.net").stat().st_mode & 0o600 == 0o600


def test_a_pipe_or_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    import os
    import stat

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="regular file"):
        save(sample(), tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
