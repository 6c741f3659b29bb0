"""A .net file compiled under one Python does the same under every other."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

import snnc

DATA = Path(__file__).parents[1] / "data"


def test_a_file_compiled_elsewhere_fires_the_same_spikes() -> None:
    expected = np.load(DATA / "portable.npz")
    result = snnc.run(DATA / "portable.net", snnc.load_data("digits", split="test"), samples=50, record=True)
    assert np.array_equal(result.readout, expected["readout"])
    assert result.spikes is not None and len(result.spikes) == 2
    for index, spikes in enumerate(result.spikes):
        assert np.array_equal(np.packbits(spikes), expected[f"spikes_{index}"])


def contents(path: Path) -> dict[str, object]:
    """All values of a file by their places, without the provenance."""
    found: dict[str, object] = {}

    def look(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if name != "snnc/provenance":
            found.update({f"{name}@{key}": np.asarray(value).tobytes() for key, value in item.attrs.items()})
            found[name] = np.asarray(item).tobytes() if isinstance(item, h5py.Dataset) else sorted(item)

    with h5py.File(path) as file:
        file.visititems(look)
    return found


def test_a_file_compiled_elsewhere_is_written_again_with_every_value(tmp_path: Path) -> None:
    # The first edition's files hold provenance as texts, which are written again as values.
    snnc.load(DATA / "portable.net").save(tmp_path / "again.net")
    assert contents(tmp_path / "again.net") == contents(DATA / "portable.net")
    assert len(contents(DATA / "portable.net")) > 30


def test_a_file_is_written_again_byte_for_byte(tmp_path: Path) -> None:
    snnc.load(DATA / "portable.net").save(tmp_path / "again.net")
    snnc.load(tmp_path / "again.net").save(tmp_path / "once more.net")
    assert (tmp_path / "once more.net").read_bytes() == (tmp_path / "again.net").read_bytes()
