"""Commands that fail: outputs that cannot be written, errors that nobody foresaw, interruptions."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support.command_line import Call
from support.digits import Folder

from snnc.cli import main


@pytest.mark.parametrize("option", ["-o", "--report"])
@pytest.mark.parametrize("place", ["missing/out.net", "file/out.net", "folder"])
def test_an_output_that_cannot_be_written_is_refused_before_any_work(
    made: Folder, here: Path, refused: Call, monkeypatch: pytest.MonkeyPatch, option: str, place: str
) -> None:
    (here / "file").write_text("")
    (here / "folder").mkdir()
    monkeypatch.setattr(
        "snnc.api.compile.compile_recorded", lambda *_arguments, **_options: pytest.fail("it went to work")
    )
    line = refused(
        "compile", made.model, "--calib", "digits", *([] if option == "-o" else ["-o", "o.net"]), option, place
    )
    assert f"{place}: cannot be written" in line


def test_the_model_is_never_overwritten(made: Folder, here: Path, refused: Call) -> None:
    (here / "model.net").write_bytes(made.model.read_bytes())
    assert "would overwrite what it is made of" in refused("compile", "model.net", "--calib", "digits")
    assert (here / "model.net").read_bytes() == made.model.read_bytes()


def test_the_demo_checks_its_output_first(refused: Call) -> None:
    assert "cannot be written" in refused("demo", "-o", "missing/digits.net")


def test_what_was_there_stays_where_compiling_fails(made: Folder, here: Path, refused: Call) -> None:
    (here / "out.net").write_text("precious")
    refused("compile", made.model, "--calib", "nothere.npz", "-o", "out.net")
    assert (here / "out.net").read_text() == "precious"


def fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError("a\nb")


def test_an_unforeseen_error_is_one_line_and_exit_code_3(
    made: Folder, refused: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snnc.api.compile.load", fail)
    assert refused("inspect", made.net, code=3) == "error: ZeroDivisionError: a b (a bug in snnc; -v shows where)\n"


def test_verbose_shows_where(made: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("snnc.api.compile.load", fail)
    assert main(["inspect", str(made.net), "-v"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_is_one_line_and_exit_code_130(
    made: Folder, refused: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("snnc.api.compile.load", interrupt)
    # A shell starts what runs in the background with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert refused("inspect", made.net, code=130) == "error: interrupted\n"
    finally:
        signal.signal(signal.SIGINT, before)
