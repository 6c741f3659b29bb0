"""Formats of model files: each recognises its own files and no others, and is named wherever formats are listed."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.command_line import process
from torch import nn

from snnc.common.errors import ModelError, UntrustedModelError
from snnc.compiler.frontend.files import load
from snnc.compiler.frontend.files.identify import Format, Start, identify
from snnc.compiler.frontend.files.load import FORMATS, load_model
from snnc.compiler.options import format_names


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.ReLU()).eval()


def stream(path: Path) -> None:
    torch.save(network(), path, _use_new_zipfile_serialization=False)


def script(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(network()), path)


def exported(path: Path) -> None:
    torch.export.save(torch.export.export(network(), (torch.zeros(2, 3),)), path)


def safetensors(path: Path) -> None:
    path.write_bytes((2).to_bytes(8, "little") + b"{}")


WRITERS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "torch.save": (lambda path: torch.save(network(), path), stream),
    "torch.jit.save": (script,),
    "torch.export.save": (exported,),
    "safetensors": (safetensors,),
    "ONNX": (lambda path: path.write_bytes(b"\x08\x07\x12\x07pytorch"),),
}


@pytest.mark.parametrize(("name", "write"), [(name, each) for name, writers in WRITERS.items() for each in writers])
def test_a_file_is_recognised_by_its_content(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    path = tmp_path / "model.pt2"  # torch.export insists on it
    write(path)
    assert identify(path, FORMATS).name == name


def test_a_zip_archive_is_never_taken_for_onnx(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")
    with pytest.raises(ModelError, match=r"a zip archive without torch.save's data.pkl"):
        load_model(path)


def test_formats_are_listed_where_a_file_is_of_none(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_text("hello")
    with pytest.raises(ModelError, match="found a text file") as caught:
        load_model(path)
    assert all(each.name in str(caught.value) for each in FORMATS)


def test_formats_are_tried_in_their_order() -> None:
    assert [each.name for each in FORMATS] == [
        "torch.jit.save",
        "torch.save",
        "torch.export.save",
        "safetensors",
        "ONNX",
        "NIR",
    ]
    assert len({each.precedence for each in FORMATS}) == len(FORMATS)


def test_names_for_help_are_those_of_the_formats() -> None:
    assert sorted(format_names()) == sorted(each.name for each in FORMATS)


def test_the_help_lists_the_formats() -> None:
    text = " ".join(process("compile", "--help").stdout.replace("\u2502", " ").split())
    assert [each.name for each in FORMATS if each.name not in text] == []


def test_the_documentation_lists_the_formats() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "models.md").read_text(encoding="utf-8")
    first_table = text.partition("\n\nFiles are told apart")[0]
    assert [each.name for each in FORMATS if each.name not in first_table] == []


def test_a_format_is_one_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def recognise(start: Start) -> bool:
        return start.head.startswith(b"TINY")

    path = tmp_path / "model.tiny"
    path.write_bytes(b"TINY")
    tiny = Format(
        "tiny", recognise, lambda path: network(), precedence=100, runs_code="all of it", instead="save it otherwise"
    )
    monkeypatch.setattr(load, "FORMATS", (*FORMATS, tiny))
    with pytest.raises(UntrustedModelError, match=r"reading it would run code: all of it.*save it otherwise"):
        load_model(path)
    assert isinstance(load_model(path, trust=True), nn.Sequential)
