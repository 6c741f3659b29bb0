"""A threshold method, a correction: one file each."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from torch import nn

from snnc.common.errors import OptionError
from snnc.common.options import options_of
from snnc.common.registry import Registry
from snnc.compiler.conversion.calibration import corrections
from snnc.compiler.conversion.calibration.corrections import CORRECTIONS
from snnc.compiler.conversion.choose_thresholds import NEAREST
from snnc.compiler.conversion.methods import METHODS
from snnc.compiler.lowering.max_pooling import MaxPooling
from snnc.compiler.options import AUTOMATIC, CompileOptions, MaxPool
from snnc.compiler.pipeline import compile_module
from snnc.program import Program

METHOD = '''"""Half of the largest activation."""

from snnc.compiler.conversion.methods import threshold_method
from snnc.compiler.conversion.solver.error import with_potential


@threshold_method("half-max", order=35, tried_with=(1,))
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


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """One file more in the folder of a registry."""
    registry, name, text = request.param
    stem = name.replace("-", "_")
    for each in registry._files():
        (tmp_path / each.name).write_text(each.read_text())
    (tmp_path / f"{stem}.py").write_text(text)
    package = sys.modules[registry._package]
    monkeypatch.setattr(package, "__path__", [str(tmp_path), *package.__path__])
    list(registry)  # those that are there
    monkeypatch.setattr(registry, "_folder", tmp_path)
    __import__(f"{registry._package}.{stem}")
    yield
    registry.remove(name)
    del sys.modules[f"{registry._package}.{stem}"]


def compiled(**options: object) -> Program:
    network = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)).eval()
    for seed, each in enumerate(network.parameters()):
        each.data[:] = nn.Parameter(each.new_tensor(np.random.default_rng(seed).normal(size=tuple(each.shape))))
    raw = np.random.default_rng(0).integers(0, 256, (60, 5)).astype(np.uint8)
    return compile_module(network, raw, CompileOptions(timesteps=4, std=(255.0,), **options)).program


@pytest.mark.parametrize("added", [(METHODS, "half-max", METHOD)], indirect=True)
def test_a_method_is_added_by_one_file(added: None) -> None:
    assert "half-max" in METHODS.names and METHODS.help("half-max") == "Half of the largest activation."
    assert list(METHODS)[2:4] == ["max", "half-max"]
    halved, whole = compiled(threshold="half-max"), compiled(threshold="max")
    assert np.allclose(halved.layers[0].scale, whole.layers[0].scale / 2, rtol=1e-4)
    assert halved.provenance.thresholds.method == "half-max"
    tried = [each.name for each in compiled().provenance.thresholds.scores]
    assert tried == [*(f"data-driven, m = {m}" for m in (2, 1)), "half-max", "percentile", NEAREST]
    (threshold,) = (each for each in options_of(CompileOptions) if each.name == "threshold")
    assert threshold.known == (AUTOMATIC, *METHODS.names, "learned") and "half-max" in threshold.known
    with pytest.raises(OptionError, match="max, half-max, opt"):
        CompileOptions(threshold="none").check()
    with pytest.raises(OptionError, match="half-max minimises no error"):
        CompileOptions(threshold="half-max", objective=2).check()


@pytest.mark.parametrize("added", [(CORRECTIONS, "twice", CORRECTION)], indirect=True)
def test_a_correction_is_added_by_one_file(added: None) -> None:
    assert "twice" in CORRECTIONS.names and CORRECTIONS.help("twice") == "Twice the thresholds."
    assert corrections.named_corrections("all") == ("weights", "thresholds", "twice", "spread", "potentials", "bias")
    doubled = compiled(threshold="max", calibrate=("bias", "twice"))
    assert doubled.provenance.corrections.names == ("twice", "bias")
    assert [each.name for each in doubled.provenance.corrections.errors] == ["before", "twice", "bias"]


def test_without_the_file_neither_is_known() -> None:
    assert "half-max" not in METHODS and "twice" not in CORRECTIONS
    with pytest.raises(OptionError, match="unknown method"):
        CompileOptions(threshold="half-max").check()
    with pytest.raises(OptionError, match="unknown correction"):
        replace(CompileOptions(), calibrate=("twice",)).check()


@pytest.mark.parametrize("registry", [METHODS, CORRECTIONS], ids=["methods", "corrections"])
def test_files_are_called_what_they_register_and_say_what_they_are(registry: Registry) -> None:
    assert tuple(sorted(registry)) == registry.names
    assert [entry.order for entry in registry.values()] == sorted({entry.order for entry in registry.values()})
    assert all(registry.help(name).endswith(".") for name in registry)


def test_names_and_help_cost_no_import_of_torch() -> None:
    import subprocess

    code = (
        "import sys\n"
        "from snnc.compiler.conversion.methods import METHODS\n"
        "from snnc.compiler.conversion.calibration.corrections import CORRECTIONS\n"
        "print([r.help(n) for r in (METHODS, CORRECTIONS) for n in r.names])\n"
        "assert not {'torch', 'numba'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ways_of_pooling_are_those_that_the_lowering_knows() -> None:
    assert get_args(MaxPool) == (AUTOMATIC, *get_args(MaxPooling))
