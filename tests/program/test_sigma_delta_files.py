"""Files of sigma-delta networks: what is saved comes back, and what contradicts itself is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from support.networks import Case
from support.programs import assert_same
from support.sigma_delta import chains, compiled, dense_chain

from snnc.common.errors import FormatError
from snnc.program import SigmaDeltaProgram
from snnc.program.net import load
from snnc.program.net.writer import to_bytes


@settings(max_examples=8)
@given(chains())
def test_what_is_saved_comes_back(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    program = compiled(case)
    path = tmp_path_factory.mktemp("net") / "a.net"
    program.save(path)
    again = load(path)
    assert isinstance(again, SigmaDeltaProgram)
    assert_same(again, program)
    assert to_bytes(again) == path.read_bytes()


def test_an_older_snnc_refuses_it_by_its_version(tmp_path: Path) -> None:
    compiled(dense_chain()).save(tmp_path / "a.net")
    with h5py.File(tmp_path / "a.net") as file:
        assert file["snnc"].attrs["format_version"] == 2


def attribute(place: str, name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[place].attrs[name] = value

    return change


def dataset(place: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if place in file:
            del file[place]
        file[place] = value

    return change


def without(place: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        del file[place]

    return change


DAMAGE: list[tuple[Callable[[h5py.File], None], str]] = [
    (attribute("snnc", "neuron", np.bytes_("snm")), "unknown neuron.*expected sdnn.*found 'snm'"),
    (attribute("snnc", "target", np.bytes_("loihi1")), "unknown target"),
    (attribute("snnc", "format_version", 1), "is missing|unknown"),
    (attribute("snnc", "extra", 1), "unknown field 'extra'"),
    (attribute("snnc/coding", "divisor", 2), "spread over steps"),
    (dataset("layer/0/neuron/vThMant", 1), "holds changes back"),
    (dataset("layer/1/neuron/vThMant", 512), "vThMant is out of range"),
    (dataset("layer/1/neuron/type", np.array([b"CUBA"])), "unknown type.*SDNN"),
    (dataset("layer/1/neuron/sigma_output", 1), "unknown field|only the last layer"),
    (without("layer/3/neuron/sigma_output"), "vThMant is missing"),
    (dataset("layer/1/bias", np.array([1], np.int32)), "bias has the wrong shape"),
    (without("layer/1/bias"), "bias is missing"),
    (dataset("layer/3/bias", np.zeros(2, np.int32)), "unknown field 'bias'"),
    (without("layer/2/weight"), "weight is missing"),
    (attribute("layer/1", "extra", 1), "unknown field 'extra'"),
    (without("layer/3"), "fewer layers"),
    (dataset("snnc/layers/0/scale", np.zeros(5)), "scale is not positive"),
    (without("snnc/layers/2"), "only the last layer|more layers"),
]


@pytest.mark.parametrize(("change", "message"), DAMAGE)
def test_a_file_that_contradicts_itself_is_refused(
    tmp_path: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    path = tmp_path / "a.net"
    compiled(dense_chain()).save(path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=message) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_weight_of_more_than_eight_bits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    compiled(dense_chain()).save(path)
    with h5py.File(path, "r+") as file:
        file["layer/2/weight"][0, 0] = 128
    with pytest.raises(FormatError, match=r"weight is out of range.*-127\.\.127"):
        load(path)
