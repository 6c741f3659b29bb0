"""A .net file compiled under one Python does the same under every other."""

from __future__ import annotations

from pathlib import Path

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


def test_a_file_compiled_elsewhere_is_written_again_byte_for_byte(tmp_path: Path) -> None:
    snnc.load(DATA / "portable.net").save(tmp_path / "again.net")
    assert (tmp_path / "again.net").read_bytes() == (DATA / "portable.net").read_bytes()
