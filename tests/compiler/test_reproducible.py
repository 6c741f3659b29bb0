"""The same inputs give the same bytes, whatever the order in which sums are taken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.sparse import csr_matrix

from snnc.common.digits import rounded, rounded_down, rounded_together
from snnc.compiler.conversion.calibration.layer_data import exact_drive
from snnc.compiler.ir import Conv2d, Linear, Sparse
from snnc.compiler.quantization.normalized import normalized_weight

ROOT = Path(__file__).resolve().parents[2]


def compiled(folder: Path, *options: str, threads: int = 1) -> list[bytes]:
    program = [sys.executable, str(ROOT / "tests" / "support" / "compile_networks.py"), str(folder), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
    subprocess.run([*program, "--threads", str(threads)], check=True, env=environment, timeout=280)
    return [each.read_bytes() for each in sorted(folder.iterdir())]


def test_threads_and_batches_leave_no_trace(tmp_path: Path) -> None:
    cases = ["--cases", "digits-corrected", "lenet"]
    first = compiled(tmp_path / "first", *cases)
    assert len(first) == 2
    assert compiled(tmp_path / "second", *cases, "--batch", "7", threads=2) == first


@pytest.mark.reliability
@pytest.mark.parametrize("case", ["digits", "lenet-corrected", "lenet-per-layer"])
@pytest.mark.parametrize("threads, batch", [(1, "7"), (2, "64"), (2, "33")])
def test_nor_do_they_elsewhere(tmp_path: Path, case: str, threads: int, batch: str) -> None:
    first = compiled(tmp_path / "first", "--cases", case)
    assert len(first) == 1
    assert compiled(tmp_path / "second", "--cases", case, "--batch", batch, threads=threads) == first


WEIGHTS = st.floats(-3, 3, width=32)


@given(
    arrays.arrays(np.float64, (3, 40), elements=WEIGHTS),
    arrays.arrays(np.float64, 40, elements=st.floats(0.01, 5)),
    arrays.arrays(np.bool_, (2, 40)),
    st.randoms(use_true_random=False),
)
def test_the_drive_of_spikes_does_not_depend_on_their_order(weight, threshold, fired, random) -> None:
    order = list(range(40))
    random.shuffle(order)
    synapse = Linear(weight, np.ones(3))
    spikes = torch.from_numpy(fired.astype(np.float32))
    drive = exact_drive(synapse, threshold, spikes, (3,))
    shuffled = exact_drive(Linear(weight[:, order], np.ones(3)), threshold[order], spikes[:, order], (3,))
    assert torch.equal(drive, shuffled)
    # Summed one by one in float32 as well: whoever adds them up gets this.
    expected = fired.astype(np.float64) @ (weight * threshold).T
    size = np.abs(weight * threshold).sum(1)
    assert np.all(np.abs(drive.numpy() - expected) <= size * 40 * 2.0**-23 + 1e-30)


def test_the_drive_is_that_of_the_operation_for_convolutions_and_sparse_ones() -> None:
    random = np.random.default_rng(0)
    fired = torch.from_numpy(random.integers(0, 2, (3, 4, 5, 5)).astype(np.float32))
    threshold = random.uniform(0.5, 2, 4)
    convolution = Conv2d(random.normal(size=(6, 2, 3, 3)), np.ones(6), padding=(1, 1), groups=2)
    dense = random.normal(size=(12, 100)) * (random.random((12, 100)) < 0.2)
    dense[3] = 0
    sparse = Sparse(csr_matrix(dense), np.ones((3, 2, 2)), (3, 2, 2), (4, 5, 5))
    sent = fired.double() * torch.from_numpy(threshold).reshape(1, -1, 1, 1)
    for synapse, shape in ((convolution, (6, 5, 5)), (sparse, (3, 2, 2))):
        found = exact_drive(synapse, threshold, fired, shape)
        assert found.dtype == torch.float32
        assert torch.allclose(found.double(), synapse.apply(sent) - 1, atol=1e-4)
    assert normalized_weight(sparse, np.ones(3), threshold, (4, 5, 5)).shape == sparse.matrix.data.shape


@given(st.floats(1e-30, 1e30))
def test_rounding_hides_the_last_bits(value: float) -> None:
    (near,) = rounded(np.array([value]))
    assert abs(near - value) <= 2.0**-16 * value
    assert rounded(np.array([near]))[0] == near
    # To 16 bits: the integer significand is below 2 ** 16.
    fraction, _ = np.frexp(near)
    assert fraction * 2**16 == int(fraction * 2**16)
    assert value * (1 - 2.0**-15) <= rounded_down(value) <= value


@given(arrays.arrays(np.float64, (3, 5), elements=st.floats(-1e3, 1e3)))
def test_rounding_together_goes_by_the_largest_of_a_row(values: np.ndarray) -> None:
    near = rounded_together(values)
    assert np.all(np.abs(near - values) <= 2.0**-12 * np.abs(values).max(1, keepdims=True))
    # Nothing but a largest number that was rounded up to a power of two makes the next ones coarser.
    assert np.all(np.abs(rounded_together(near) - near) <= 2.0**-12 * np.abs(values).max(1, keepdims=True))
    noise = np.abs(values).max(1, keepdims=True) * 1e-13
    for other in (values + noise, values - noise):
        assert np.mean(rounded_together(other) == near) > 0.5


def test_rounded_values_absorb_noise() -> None:
    values = np.random.default_rng(1).uniform(0.01, 10, 10_000)
    assert np.array_equal(rounded(values), rounded(values * (1 + 1e-15)))
