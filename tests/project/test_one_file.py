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
METHOD = '''"""Half of the largest activation."""

from snnc.compiler.conversion.methods import threshold_method
from snnc.compiler.conversion.solver.error import with_potential


@threshold_method("half-max", order=35)
def half_max(distribution, timesteps, objective=1):
    return with_potential(distribution, distribution.maximum / 2, timesteps, objective=objective)
'''
CORRECTION = '''"""Twice the thresholds."""

from dataclasses import replace

from snnc.compiler.conversion.calibration.corrections import correction
from snnc.compiler.ir import Readout


@correction("twice", order=25)
def twice(layer, op):
    return op if isinstance(op, Readout) else replace(op, threshold=2 * op.threshold)
'''
FILES = {
    "compiler/conversion/methods/half_max.py": METHOD,
    "compiler/conversion/calibration/corrections/twice.py": CORRECTION,
    "program/targets/chips/small.py": CHIP,
    "compiler/frontend/files/in_json.py": FORMAT,
}


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


def test_a_method_and_a_correction_are_one_file_each(copy: Path) -> None:
    text = " ".join(output(copy, "-m", "snnc", "compile", "--help").split())
    assert "--threshold auto|data-driven|half-max|max|" in text
    assert "half-max (half of the largest activation)" in text.replace("half- max", "half-max")
    assert "twice (twice the thresholds)" in text
    table = output(copy, "-c", "from snnc.cli.configuration.keys import key_table; print(key_table())")
    assert "`half-max` (half of the largest activation)" in table and "`twice` (twice the thresholds)" in table
    code = """
from snnc.common.errors import OptionError
from snnc.compiler.options import CompileOptions
CompileOptions(threshold="half-max", calibrate="twice").check()
for wrong in (CompileOptions(threshold="none"), CompileOptions(calibrate="none")):
    try:
        wrong.check()
    except OptionError as error:
        print(error)
"""
    first, second = output(copy, "-c", code).splitlines()
    assert "max, half-max, opt" in first and "thresholds, twice, spread" in second
