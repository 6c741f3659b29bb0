"""A chip is added in one place: one description that registers."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from support.written_programs import sample

import snnc
from snnc.common.errors import FormatError
from snnc.program.net import load
from snnc.program.placement import place
from snnc.program.targets import LOIHI2, Target, get_target, register, registry, target_names


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    monkeypatch.setattr(registry, "_TARGETS", dict(registry._TARGETS))
    monkeypatch.setattr(registry, "_ALIASES", dict(registry._ALIASES))
    yield register(replace(LOIHI2, name="small", weight_minimum=-128, weight_maximum=126, neurons_per_core=16), "tiny")


def test_a_registered_chip_is_known_by_its_names(chip: Target) -> None:
    assert get_target("small") is get_target("tiny") is chip
    assert {"small", "tiny", "loihi2"} <= {*target_names()}


def test_every_figure_of_a_chip_is_read_by_who_compiles_places_or_runs() -> None:
    package = Path(snnc.__file__).parent
    files = [file for room in ("program", "runtime", "compiler") for file in (package / room).rglob("*.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))]
    read = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert {each.name for each in fields(Target)} - read == {"description"}


def test_files_and_placement_read_its_limits(chip: Target, tmp_path: Path) -> None:
    program = replace(sample(), target=chip.name)
    with pytest.raises(FormatError, match=r"weight is out of range \(expected -128\.\.126"):
        program.save(tmp_path / "a.net")
    layers = tuple(
        replace(layer, synapses=tuple(replace(each, weight=each.weight // 4 * 2) for each in layer.synapses))
        for layer in program.layers
    )
    program = replace(program, layers=layers)
    program.save(tmp_path / "a.net")
    assert load(tmp_path / "a.net").target == "small"
    # 60, 12 and 3 neurons, 16 at most on a core.
    assert place(program, chip).cores > place(program, LOIHI2).cores
