"""The file: what is saved is what is loaded, in the same bytes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from support.programs import assert_same, programs
from support.written_programs import sample, wide

from snnc.common.errors import FormatError
from snnc.program import Program
from snnc.program.net import load, save
from snnc.program.net.chain import joined_groups, original_groups
from snnc.program.net.writer import to_bytes


@given(programs(leads=True))
def test_what_is_loaded_is_what_was_saved(folder: Path, program: Program) -> None:
    path = folder / "round.net"
    save(program, path)
    loaded = load(path)
    assert_same(loaded, program)
    assert to_bytes(loaded) == path.read_bytes()


def test_a_file_that_holds_everything_survives_the_round(tmp_path: Path) -> None:
    save(sample(), tmp_path / "a.net")
    assert_same(load(tmp_path / "a.net"), sample())
    sample().save(tmp_path / "b.net")
    assert (tmp_path / "a.net").read_bytes() == (tmp_path / "b.net").read_bytes()


def test_the_bytes_do_not_depend_on_path_or_memory_order(tmp_path: Path) -> None:
    program = sample()
    (tmp_path / "deep").mkdir()
    save(program, tmp_path / "deep" / "another name.bin")
    first, *rest = program.layers
    synapse = replace(first.synapses[0], weight=np.asfortranarray(first.synapses[0].weight))
    save(replace(program, layers=(replace(first, synapses=(synapse,)), *rest)), tmp_path / "fortran.net")
    assert (tmp_path / "deep" / "another name.bin").read_bytes() == (tmp_path / "fortran.net").read_bytes()


@pytest.mark.parametrize("groups", [1, 127, 128, 129, 254, 256, 300, 381, 1021])
@pytest.mark.parametrize("rows", [1, 2])
def test_more_groups_than_lava_counts_are_joined_and_restored(groups: int, rows: int) -> None:
    rng = np.random.default_rng(groups)
    weight = (2 * rng.integers(-128, 128, (groups * rows, 2, 1, 2))).astype(np.int16)
    joined, fewer = joined_groups(weight, groups)
    assert fewer <= 127 and groups % fewer == 0
    assert np.array_equal(original_groups(joined, fewer, groups), weight)

    def dense(array: np.ndarray, count: int) -> np.ndarray:
        outputs, inputs = array.shape[0] // count, array.shape[1]
        full = np.zeros((array.shape[0], inputs * count, *array.shape[2:]))
        for g in range(count):
            full[g * outputs : (g + 1) * outputs, g * inputs : (g + 1) * inputs] = array[
                g * outputs : (g + 1) * outputs
            ]
        return full

    assert np.array_equal(dense(joined, fewer), dense(weight, groups))


def test_a_layer_of_many_groups_survives_the_round(tmp_path: Path) -> None:
    program = wide(256)
    save(program, tmp_path / "wide.net")
    assert_same(load(tmp_path / "wide.net"), program)
    with h5py.File(tmp_path / "wide.net", "r+") as file:
        assert file["layer/1/groups"][()] <= 127
        # The joined groups must not talk to one another: that would be lost on the way back.
        file["layer/1/weight"][0, -1, 0, 0] = 2
    with pytest.raises(FormatError, match="different groups"):
        load(tmp_path / "wide.net")


def test_the_same_file_under_another_name_is_the_same_program(tmp_path: Path) -> None:
    save(sample(), tmp_path / "a.net")
    shutil.move(tmp_path / "a.net", tmp_path / "no suffix")
    assert_same(load(str(tmp_path / "no suffix")), sample())
