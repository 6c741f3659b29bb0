"""Adding a chip, or another thing of which there are several, is adding one file: tried on a copy of the package."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import snnc

CHIP = '''"""A chip for a test."""

from dataclasses import replace

from snnc.program.targets.chips.loihi2 import LOIHI2
from snnc.program.targets.registry import register

SMALL = register(replace(LOIHI2, name="small", neurons_per_core=16), "tiny")
'''
FORMAT = '''"""A list of weights, for a test."""

import json

import torch

from snnc.compiler.frontend.files.identify import Format


def read(path):
    return {name: torch.tensor(values) for name, values in json.loads(path.read_text()).items()}


FORMAT = Format("weights in JSON", lambda start: start.head.startswith(b"{"), read, precedence=35)
'''
FILES = {"program/targets/chips/small.py": CHIP, "compiler/frontend/files/in_json.py": FORMAT}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy of the package with the files added."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copytree(Path(snnc.__file__).parent, root / "snnc", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES.items():
        path = root / "snnc" / name
        assert not path.exists()
        path.write_text(text, encoding="utf-8")
    return root


def output(copy: Path, *arguments: str) -> str:
    """What the copy's Python prints."""
    call = [sys.executable, *arguments]
    return subprocess.run(call, cwd=copy, check=True, capture_output=True, text=True).stdout


def test_a_chip_is_one_file(copy: Path) -> None:
    code = "from snnc.program.targets import get_target, target_names; print(get_target('tiny').name, *target_names())"
    assert output(copy, "-c", code).split() == ["small", "loihi", "loihi1", "loihi2", "small", "tiny"]


def test_a_format_is_one_file(copy: Path) -> None:
    (copy / "model.json").write_text('{"0.weight": [[1.0, 2.0]]}')
    code = (
        "from snnc.compiler.frontend.files.load import FORMATS, read_state\n"
        "print(*(each.name for each in FORMATS), sep='|')\n"
        "print(read_state('model.json')['0.weight'].tolist())"
    )
    listed = "torch.jit.save|torch.save|torch.export.save|weights in JSON|safetensors|ONNX|NIR"
    assert output(copy, "-c", code).splitlines() == [listed, "[[1.0, 2.0]]"]
    assert "NIR, ONNX, safetensors or weights in JSON" in " ".join(output(copy, "-m", "snnc", "compile", "-h").split())
