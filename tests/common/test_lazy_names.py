"""Packages whose names are imported when they are first used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import snnc.program


def loaded(code: str) -> set[str]:
    """Modules that are loaded once some code has run in a process of its own."""
    call = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    return set(subprocess.run(call, check=True, capture_output=True, text=True).stdout.split())


def test_a_name_is_imported_when_it_is_used() -> None:
    assert "snnc.program.layer" not in loaded("import snnc.program")
    assert "snnc.program.layer" in loaded("from snnc.program import Layer")


def test_a_chip_and_the_command_line_need_no_array() -> None:
    assert not {"scipy", "h5py", "torch"} & loaded("import snnc.program.targets")
    assert not {"scipy", "h5py", "torch"} & loaded("import snnc.cli.application")


def test_a_name_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(AttributeError, match=r"^module 'snnc.program' has no attribute 'Nothing'$"):
        snnc.program.Nothing  # noqa: B018
    with pytest.raises(AttributeError, match=r"^module 'snnc' has no attribute 'nothing'$"):
        snnc.nothing  # noqa: B018


def test_all_names_are_listed() -> None:
    assert set(snnc.program.__all__) <= set(dir(snnc.program))
    assert set(snnc.__all__) <= set(dir(snnc))
    for name in snnc.program.__all__:
        assert getattr(snnc.program, name) is vars(snnc.program)[name]
