"""Reading the file: truncated, damaged, with a field missing or of another type, it is refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.damage import cut
from support.written_programs import content

from snnc.common.errors import FormatError
from snnc.program.net import load


def loads_or_refuses(path: Path) -> None:
    """A damaged file is a program or a FormatError in one line: nothing else."""
    try:
        load(path)
    except FormatError as error:
        assert "\n" not in str(error)


@given(st.floats(0, 1, exclude_max=True))
def test_a_truncated_file_is_refused(folder: Path, share: float) -> None:
    path = folder / "truncated.net"
    path.write_bytes(content()[: int(share * len(content()))])
    with pytest.raises(FormatError):
        load(path)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_bytes_never_raise_anything_else(folder: Path, damage: list[tuple[float, int]]) -> None:
    damaged = bytearray(content())
    for share, value in damage:
        damaged[int(share * len(damaged))] = value
    path = folder / "damaged.net"
    path.write_bytes(damaged)
    loads_or_refuses(path)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04 not hdf5", b"\x00" * 4096])
def test_what_is_not_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.net").write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.net"):
        load(tmp_path / "a.net")


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no such file"):
        load(tmp_path / "a.net")
    with pytest.raises(FormatError, match="folder"):
        load(tmp_path)


def test_a_netx_file_from_elsewhere_is_refused_with_advice(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.net", "w") as file:
        layer = file.create_group("layer/0")
        layer.create_dataset("type", (1,), "S10", data=[b"input"])
        layer.create_dataset("shape", data=np.array([2, 2, 1]))
    with pytest.raises(FormatError, match=r"not written by snnc.*compile it with snnc"):
        load(tmp_path / "a.net")


MEMBERS: list[str] = []
with h5py.File(__import__("io").BytesIO(content()), "r") as _file:
    _file.visit(MEMBERS.append)
    for _name in ["/", *list(MEMBERS)]:
        MEMBERS.extend(f"{_name}/{key}".lstrip("/") for key in _file[_name].attrs)
OPTIONAL = {f"snnc/layers/{index}/membrane_measured" for index in range(3)}
# Without its last synapse a layer is a layer.
OPTIONAL |= {f"snnc/layers/{index}/synapses/1" for index in (1, 2)}


@pytest.mark.parametrize("member", MEMBERS)
def test_every_single_field_is_needed(tmp_path: Path, member: str) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(content())
    with h5py.File(path, "r+") as file:
        cut(member)(file)
    if member in OPTIONAL:
        load(path)
    else:
        with pytest.raises(FormatError):
            load(path)


@given(
    st.sampled_from(MEMBERS), st.sampled_from([0, -1, 2**62, 1.5, "text", [1, 2], [], h5py.Empty("i8"), b"\xff", True])
)
@settings(max_examples=100)
def test_a_field_of_any_other_type_never_raises_anything_else(folder: Path, member: str, value: object) -> None:
    path = folder / "types.net"
    path.write_bytes(content())
    with h5py.File(path, "r+") as file:
        group, _, name = member.rpartition("/")
        if name in file[group or "/"].attrs:
            file[group or "/"].attrs[name] = value
        else:
            del file[member]
            file[member] = value
    loads_or_refuses(path)


def test_a_number_type_that_numpy_does_not_know_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(content())
    with h5py.File(path, "r+") as file:
        del file["snnc/coding/unit"]
        kind = h5py.h5t.IEEE_F64LE.copy()
        kind.set_fields(63, 52, 11, 0, 52)
        kind.set_precision(64)
        kind.set_ebias(40000)
        h5py.h5d.create(file["snnc/coding"].id, b"unit", kind, h5py.h5s.create_simple((4,)))
    with pytest.raises(FormatError):
        load(path)


def test_a_git_lfs_pointer_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    with pytest.raises(FormatError, match=r"is a Git LFS pointer.*; git lfs pull"):
        load(tmp_path / "a.net")
