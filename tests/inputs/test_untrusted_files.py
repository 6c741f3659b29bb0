"""Files that somebody made to do harm: each is refused in a line, quickly, and nothing outside it is touched."""

from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from support.branching import branching
from torch import nn

from snnc.common.errors import FormatError, ModelError, SnncError
from snnc.compiler.frontend.files.load import load_model
from snnc.models.training.checkpoint import CheckpointFile
from snnc.program.net import load
from snnc.program.net.writer import to_bytes
from snnc.program.netx import is_netx, load_netx
from snnc.runtime.hardware.lab.result import read_lab_result

UNIT = "snnc/coding/unit"


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """Whoever opens it waits for ever."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


# ---- .net, netx and NIR ----


def changed(folder: Path, change: Callable[[h5py.File], object]) -> Path:
    path = folder / "changed.net"
    path.write_bytes(to_bytes(branching()))
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def replaced(file: h5py.File, place: str, **options: Any) -> None:
    shape, dtype = file[place].shape, file[place].dtype
    del file[place]
    file.create_dataset(place, **{"shape": shape, "dtype": dtype, **options})


def test_no_link_is_followed_out_of_the_file(tmp_path: Path, pipe: Path) -> None:
    def change(file: h5py.File) -> None:
        file.move("snnc", "ours")
        file["snnc"] = h5py.ExternalLink(str(pipe), "/")

    path = changed(tmp_path, change)
    with pytest.raises(FormatError, match="snnc is a link to another place"):
        load(path)
    with pytest.raises(FormatError, match="snnc is a link to another place"):
        load_netx(path)
    assert not is_netx(path)


def test_values_are_not_read_from_other_files(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(np.ones(2).tobytes())
    path = changed(tmp_path, lambda file: replaced(file, UNIT, external=[(str(outside), 0, 16)]))
    with h5py.File(path) as file:
        assert file[UNIT][0] == 1
    with pytest.raises(FormatError, match="an array that is not in the file"):
        load(path)


def test_an_array_made_of_others_is_refused_before_they_are_opened(tmp_path: Path, pipe: Path) -> None:
    def change(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((2,), "f8")
        layout[...] = h5py.VirtualSource(str(pipe), "x", (2,))
        del file[UNIT]
        file.create_virtual_dataset(UNIT, layout)

    with pytest.raises(FormatError, match="an array that is not in the file"):
        load(changed(tmp_path, change))


def test_a_damaged_heap_is_found_before_an_array_is_opened(tmp_path: Path) -> None:
    """Regression: HDF5 looped for ever in the heap that an array made of others has its names in."""

    def change(file: h5py.File) -> None:
        layout = h5py.VirtualLayout((2,), "f8")
        layout[...] = h5py.VirtualSource("other", "x", (2,))
        del file[UNIT]
        file.create_virtual_dataset(UNIT, layout)

    path = changed(tmp_path, change)
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL\x01")
    (size,) = struct.unpack_from("<Q", content, heap + 8)
    # The free space behind the last object, whose index is 0.
    free = heap + 16
    while struct.unpack_from("<H", content, free)[0]:
        free += 16 + -(-struct.unpack_from("<Q", content, free + 8)[0] // 8) * 8
    assert struct.unpack_from("<Q", content, free + 8)[0] == heap + size - free
    content[free + 8 : free + 16] = bytes(8)
    path.write_bytes(content)
    with pytest.raises(FormatError, match="something lies in a damaged heap"):
        load(path)
    # Nor may heaps lie within one another, which would be read again and again.
    content[free + 8 : free + 16] = struct.pack("<Q", heap + size - free)
    content[free + 24 : free + 29] = b"GCOL\x01"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="something lies in a damaged heap"):
        load(path)


def packed_twice(file: h5py.File) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((2,))
    for _ in range(2):
        plan.set_deflate(9)
    values = file[UNIT][()]
    del file[UNIT]
    space = h5py.h5s.create_simple(values.shape)
    made = h5py.h5d.create(file["snnc/coding"].id, b"unit", h5py.h5t.IEEE_F64LE, space, plan)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (packed_twice, "packed in an unusual way"),
        (lambda file: replaced(file, UNIT, compression="lzf", chunks=(2,)), "packed in an unusual way"),
        (lambda file: replaced(file, UNIT, scaleoffset=2, chunks=(2,)), "packed in an unusual way"),
        (lambda file: replaced(file, UNIT, shape=(2,), chunks=(1 << 24,), maxshape=(None,)), "claims to be larger"),
        (lambda file: replaced(file, UNIT, shape=(1 << 31,)), "claims to be larger"),
        (lambda file: file.__setitem__("snnc/again", file["snnc/coding"]), "a group has two names"),
        (lambda file: file.__setitem__("snnc/coding/self", file["snnc"]), "a group has two names"),
        (lambda file: file.__setitem__("snnc/kind", np.dtype("i4")), "neither a group nor an array"),
        (lambda file: file["snnc"].attrs.__setitem__("more", "text of variable length"), "more has the wrong type"),
        (lambda file: file["snnc"].create_group("more/and/more"), "unknown field 'more'"),
    ],
)
def test_what_no_compiler_writes_is_refused(tmp_path: Path, change: Callable[[h5py.File], object], told: str) -> None:
    path = changed(tmp_path, change)
    with pytest.raises(FormatError, match=told) as error:
        load(path)
    assert "\n" not in str(error.value)


def test_more_numbers_than_any_chip_holds_are_refused(tmp_path: Path) -> None:
    """270 MB of zeros out of 300 KB; nothing of it is read."""

    def change(file: h5py.File) -> None:
        size = (1 << 28) + 1
        dataset = file.create_dataset("snnc/more", (size,), "i1", chunks=(1 << 24,), compression="gzip")
        packed = zlib.compress(bytes(1 << 24))
        for start in range(0, size, 1 << 24):
            dataset.id.write_direct_chunk((start,), packed)

    with pytest.raises(FormatError, match="larger than any network"):
        load(changed(tmp_path, change))


@pytest.mark.parametrize("place", ["ann", "provenance", "layers/0/modules"])
def test_texts_that_steer_a_terminal_are_refused(tmp_path: Path, place: str) -> None:
    def change(file: h5py.File) -> None:
        text = np.array([b'[["\\u001b[2J", 1]]'])
        del file[f"snnc/{place}"]
        file[f"snnc/{place}"] = text

    with pytest.raises(FormatError, match="holds control characters"):
        load(changed(tmp_path, change))


def test_pipes_and_devices_are_not_opened(pipe: Path) -> None:
    for read in (load, load_netx, load_model, read_lab_result):
        for path in (pipe, Path("/dev/zero")):
            with pytest.raises(SnncError, match="a pipe or a device"):
                read(path)


# ---- models ----


def pickled(folder: Path, content: bytes) -> Path:
    path = folder / "model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", content)
    return path


# An empty tuple; then a tuple that holds the last one twice, sixty times. Its hash takes 2**60 steps.
DOUBLED = b")" + b"q\x00h\x00\x86" * 60


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x02}" + DOUBLED + b"K\x01s.",
        b"\x80\x02}(" + DOUBLED + b"K\x01u.",
        b"\x80\x04\x8f(" + DOUBLED + b"\x90.",
        b"\x80\x04(" + DOUBLED + b"\x91.",
        b"\x80\x02ccollections\nOrderedDict\n](" + DOUBLED + b"K\x01\x86e\x85R.",
        b"\x80\x02c__builtin__\nset\n](" + DOUBLED + b"e\x85R.",
    ],
)
def test_a_key_that_hashes_for_ever_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ModelError, match="a key is made of too many parts"):
        load_model(pickled(tmp_path, content))


def test_layers_that_double_again_and_again_are_refused(tmp_path: Path) -> None:
    network: nn.Module = nn.ReLU()
    for _ in range(40):
        network = nn.Sequential(nn.Sequential(network), nn.Sequential(network))
    torch.save(network, tmp_path / "model.pt")
    with pytest.raises(ModelError, match="lie in one another more than 100,000 times"):
        load_model(tmp_path / "model.pt")


def test_values_do_not_multiply(tmp_path: Path) -> None:
    """Half precision becomes single precision, for each tensor by itself."""
    values = torch.zeros(1000, dtype=torch.float16)
    layers = [nn.Linear(30, 30) for _ in range(50)]
    for index, layer in enumerate(layers):
        layer.weight = nn.Parameter(values[index : index + 900].view(30, 30))
    torch.save(nn.Sequential(*layers), tmp_path / "model.pt")
    with pytest.raises(ModelError, match="share the same values again and again"):
        load_model(tmp_path / "model.pt")


def nested(path: Path, count: int) -> None:
    """An archive whose records lie within one another: each begins with the head of the next one."""
    content, records = bytes(1 << 16), []
    for index in reversed(range(count)):
        name = b"m/data.pkl" if index == 0 else b"m/data/%d" % index
        checksum, size = zlib.crc32(content), len(content)
        head = (b"PK\3\4", 20, 0, 0, 0, 33, checksum, size, size, len(name), 0)
        content = struct.pack("<4s5H3I2H", *head) + name + content
        records.append((name, checksum, size))
    directory = b""
    for name, checksum, size in records:
        place = len(content) - size - 30 - len(name)
        entry = (b"PK\1\2", 20, 20, 0, 0, 0, 33, checksum, size, size, len(name), 0, 0, 0, 0, 0, place)
        directory += struct.pack("<4s6H3I5H2I", *entry) + name
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), len(content), 0)
    path.write_bytes(content + directory + end)


def test_records_within_records_are_refused(tmp_path: Path) -> None:
    nested(tmp_path / "model.pt", 100)
    with pytest.raises(ModelError, match="the records of its zip archive have"):
        load_model(tmp_path / "model.pt")


def test_control_characters_of_a_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        load_model(pickled(tmp_path, b"\x80\x02c\x1b[2Jevil\nname\n."))
    assert str(error.value).isprintable() and r"\x1b[2Jevil" in str(error.value)


def test_a_name_without_end_is_cut(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        load_model(pickled(tmp_path, b"\x80\x02cevil" + b"x" * 1_000_000 + b"\nname\n."))
    assert len(str(error.value)) < 3000 and "add --trust" in str(error.value)


# ---- the state of a training run ----


class Touching:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("kind", ["tar", "tar with a zip archive at its end", "script", "stream", "packed"])
def test_only_zip_archives_are_read_as_the_state_of_a_run(tmp_path: Path, kind: str) -> None:
    """The others are not safe with ``weights_only`` in every PyTorch that snnc runs with (CVE-2025-32434)."""
    path, mark = tmp_path / "state.pt", tmp_path / "mark"
    if kind.startswith("tar"):
        with tarfile.open(path, "w") as archive:
            for name in ("storages", "tensors", "pickle", "sys_info"):
                content = pickle.dumps(Touching(mark))
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        if kind != "tar":
            with zipfile.ZipFile(path, "a") as more:
                more.writestr("state/data.pkl", b"\x80\x02}.")
    elif kind == "script":
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path)
    elif kind == "stream":
        torch.save({"kind": "snnc training"}, path, _use_new_zipfile_serialization=False)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("state/data.pkl", b"\x80\x02}." + bytes(10_000_000))
    with pytest.raises(ModelError, match="not a readable checkpoint"):
        CheckpointFile(path, lambda *_: None, "snnc train").load()
    assert not mark.exists()
