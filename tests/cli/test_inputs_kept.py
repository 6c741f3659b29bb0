"""No command replaces one of its inputs with an output, by whatever name: path, symbolic link, hard link."""

from __future__ import annotations

import os
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.images import write_image
from support.netx_files import random_file
from support.written_programs import sample

import snnc
from snnc.cli import main
from snnc.common.errors import OutputError

# What lies in the folder. None of it is more than it has to be: all is refused before anything is read.
FILES = {
    "model": "model.pt",
    "model of ONNX": "model.onnx",
    "its weights": "model.onnx.data",
    "network": "model.net",
    "arrays": "data.npz",
    "picture": "pictures/a/0.png",
    "zip": "pictures.zip",
    "part": "parts/train.zip",
    "code": "ownmodule.py",
    "configuration": "own.toml",
    "teacher": "teacher.pt",
}
DATA = {
    "arrays": "data.npz",
    "picture": "pictures/",
    "zip": "pictures.zip",
    "part": "parts/",
    "code": "ownmodule:data",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES.values():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"this is {name}".encode())
    sample().save(tmp_path / "model.net")
    write_image(tmp_path / "pictures" / "a" / "0.png")
    write_image(tmp_path / "parts" / "train" / "a" / "0.png")
    with zipfile.ZipFile(tmp_path / "parts" / "train.zip", "w") as archive:
        archive.writestr("a/0.png", b"")
    (tmp_path / "own.toml").write_text("")
    (tmp_path / "ownmodule.py").write_text("raise SystemExit('this was imported')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each not in ("", str(tmp_path))])
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


CONFIG = "--config own.toml"
# The command, OUT where its output stands, DATA where its data do; the output's suffix; its inputs beside the data.
COMMANDS: list[tuple[str, str, tuple[str, ...]]] = [
    (f"compile model.pt --calib DATA -o OUT {CONFIG}", ".net", ("model", "configuration")),
    (f"compile model.pt --calib DATA -o o.net --report OUT {CONFIG}", ".html", ("model", "configuration")),
    ("compile model.pt --calib digits -o o.net --report OUT --report-data DATA", ".html", ()),
    ("compile model.pt --arch ownmodule:Net --calib digits -o OUT", ".net", ("code",)),
    ("compile model.onnx --calib digits -o OUT", ".net", ("model of ONNX", "its weights")),
    (f"run model.net --data DATA -o OUT {CONFIG}", ".npz", ("network", "configuration")),
    (f"thresholds model.pt --calib DATA --plot OUT {CONFIG}", ".png", ("model", "configuration")),
    ("thresholds model.pt model.net --calib DATA --plot OUT", ".png", ("model", "network")),
    (f"report model.pt model.net --data DATA -o OUT {CONFIG}", ".html", ("model", "network", "configuration")),
    ("export model.net --to net -o OUT", ".net", ("network",)),
    ("export model.net --to nir -o OUT", ".nir", ("network",)),
    (f"bundle model.net --data DATA -o OUT {CONFIG}", ".tar.gz", ("network", "configuration")),
    ("inspect model.net --plot OUT", ".svg", ("network",)),
    ("init model.pt --arch ownmodule:Net --force -o OUT", ".toml", ("model", "code")),
    (f"train digits_cnn --data DATA --weights teacher.pt -o OUT {CONFIG}", ".pt", ("teacher", "configuration")),
    ("train ownmodule:Net --data digits -o OUT", ".pt", ("code",)),
    (
        f"finetune model.pt --data DATA --teacher teacher.pt -o OUT {CONFIG}",
        ".pt",
        ("model", "teacher", "configuration"),
    ),
]
CASES = [
    (command, suffix, kind, spec)
    for command, suffix, kinds in COMMANDS
    for kind, spec in [*((each, "digits") for each in kinds), *(DATA.items() if "DATA" in command else ())]
]


def refused(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(line.split()) == 2, line
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "would overwrite what it is made of" in error, error
    return error


@pytest.mark.parametrize(("command", "suffix", "kind", "spec"), CASES)
def test_no_input_is_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, suffix: str, kind: str, spec: str
) -> None:
    path = Path(FILES[kind])
    Path(f"symbolic{suffix}").symlink_to(path)
    os.link(path, f"hard{suffix}")
    before = contents(folder)
    # An output of another suffix would be refused for that by some.
    own = [str(path)] if str(path).endswith(suffix) else []
    for output in (f"symbolic{suffix}", f"hard{suffix}", *own):
        error = refused(command.replace("DATA", spec).replace("OUT", output), capsys)
        assert output in error and str(path) in error
        assert contents(folder) == before


@pytest.mark.parametrize("ending", [".checkpoint", ".json"])
@pytest.mark.parametrize("command", ["train digits_cnn --data data.npz", "finetune model.pt --data data.npz"])
def test_checkpoint_and_log_replace_no_input(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, ending: str
) -> None:
    os.link("data.npz", f"out{ending}")
    before = contents(folder)
    assert f"out{ending}" in refused(f"{command} -o out.pt --resume", capsys)
    assert contents(folder) == before


def test_an_unfinished_run_replaces_no_input(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.link("data.npz", "model.net.unfinished")
    assert "model.net.unfinished" in refused("run model.net --data data.npz --resume", capsys)


def test_the_result_does_not_replace_the_unfinished_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("model.net.unfinished").write_bytes(b"")
    os.link("model.net.unfinished", "out.npz")
    assert "out.npz" in refused("run model.net --data digits --resume -o out.npz", capsys)


def test_a_page_does_not_replace_the_network_that_it_is_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("o.net").write_bytes(b"old")
    os.link("o.net", "o.html")
    assert "o.html" in refused("compile model.pt --calib digits -o o.net --report o.html", capsys)


def test_a_netx_file_is_not_replaced_either(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random_file(np.random.default_rng(0), block=True, delays=False).write(Path("other.net"))
    os.link("other.net", "o.npz")
    refused("run other.net --data data.npz -o o.npz", capsys)
    refused("run other.net --data data.npz -o data.npz", capsys)


def test_what_lies_in_a_folder_of_pictures_and_is_none_may_be_replaced(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "pictures" / "old.net").write_bytes(b"old")
    assert main(["compile", "model.pt", "--calib", "pictures/", "-o", "pictures/old.net"]) == 2
    assert "model.pt" in capsys.readouterr().err  # which is no model; the output was not what was refused


def test_the_functions_of_python_keep_their_inputs_too(folder: Path) -> None:
    before = contents(folder)
    os.link("data.npz", "linked.tar.gz")
    with pytest.raises(OutputError, match="would overwrite"):
        snnc.bundle("model.net", "data.npz", "linked.tar.gz")
    with pytest.raises(OutputError, match="would overwrite"):
        snnc.export_nir("model.net", "model.net")
    for path in ("model.pt", "model.net", "data.npz"):
        with pytest.raises(OutputError, match="would overwrite"):
            snnc.report("model.pt", "model.net", "data.npz", path)
    Path("linked.tar.gz").unlink()
    assert contents(folder) == before


def test_a_former_output_is_no_input(folder: Path) -> None:
    program = snnc.load(Path(__file__).parents[1] / "data" / "portable.net")
    for _ in range(2):
        assert snnc.bundle(program, "digits", "lab.tar.gz", samples=2).samples == 2
