"""What compile writes, load reads: networks whose files were refused by their own reader, or could not be written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import snnc
from snnc.common.errors import FormatError
from snnc.compiler.options import CompileOptions
from snnc.program import Program


def lazily(module: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The network with the sizes of its last layer, which a sample gives, and weights of a seed."""
    torch.manual_seed(0)
    module(torch.zeros(2, *shape))
    return module.eval()


def transposed(shape: tuple[int, ...]) -> nn.Module:
    """A transposed convolution and batch normalisation: entries of a product, in no order."""
    return lazily(
        nn.Sequential(
            nn.Conv2d(1, 2, 3),
            nn.ReLU(),
            nn.ConvTranspose2d(2, 2, 3, 2),
            nn.BatchNorm2d(2),
            nn.ReLU(),
            nn.Flatten(),
            nn.LazyLinear(4),
        ),
        shape,
    )


def pooled(shape: tuple[int, ...]) -> nn.Module:
    """Maximum pooling with padding over a single row: some of its branches read nothing but padding."""
    return lazily(
        nn.Sequential(
            nn.Conv2d(1, 2, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(2, 2, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.LazyLinear(3),
        ),
        shape,
    )


CASES = {
    "transposed": (transposed, (1, 5, 5), {}),
    "one row, exact": (pooled, (1, 1, 12), {"max_pool": "exact"}),
    "one row, exact, on loihi1": (pooled, (1, 1, 12), {"max_pool": "exact", "target": "loihi1"}),
    "one row, exact, corrected": (pooled, (1, 1, 12), {"max_pool": "exact", "calibrate": "all"}),
    "one column, exact": (pooled, (1, 12, 1), {"max_pool": "exact"}),
    "one row": (pooled, (1, 1, 12), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_what_compile_writes_can_be_read_and_runs(tmp_path: Path, name: str) -> None:
    make, shape, options = CASES[name]
    data = np.random.default_rng(0).random((64, *shape)).astype(np.float32)
    program = snnc.compile(make(shape), data, options=CompileOptions(**options))
    program.save(tmp_path / "a.net")
    read = snnc.load(tmp_path / "a.net")
    result = snnc.run(read, data[:8])
    assert isinstance(read, Program) and np.array_equal(result.readout, snnc.run(program, data[:8]).readout)


def test_a_sparse_synapse_out_of_order_cannot_be_written(tmp_path: Path) -> None:
    shape = (1, 5, 5)
    program = snnc.compile(transposed(shape), np.random.default_rng(0).random((64, *shape)).astype(np.float32))
    layer = next(each for each in program.layers if each.synapses[0].entries is not None)
    entries = layer.synapses[0].entries
    assert entries is not None
    first, second = entries.columns[entries.row_starts[0] : entries.row_starts[0] + 2]
    assert first < second
    entries.columns[entries.row_starts[0] : entries.row_starts[0] + 2] = second, first
    with pytest.raises(FormatError, match="columns are not in ascending order"):
        program.save(tmp_path / "a.net")
    assert not (tmp_path / "a.net").exists()
