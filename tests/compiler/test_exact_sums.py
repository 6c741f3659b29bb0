"""Sums of real numbers that are the same whatever their order, and near to the sums of the operations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.sparse import csr_matrix

from snnc.compiler.ir import Conv2d, Linear, Sparse
from snnc.compiler.ir.exact_sums import INPUTS_MAXIMUM, ExactSums

INPUTS = 60
NUMBERS = st.floats(-8, 8, width=32)


@given(
    arrays.arrays(np.float64, (3, INPUTS), elements=NUMBERS),
    arrays.arrays(np.float32, (2, INPUTS), elements=NUMBERS),
    st.permutations(range(INPUTS)),
)
def test_the_order_makes_no_difference(weight: np.ndarray, values: np.ndarray, order: list[int]) -> None:
    drive = ExactSums((Linear(weight, np.ones(3)),)).drive(torch.from_numpy(values))
    shuffled = ExactSums((Linear(weight[:, order], np.ones(3)),)).drive(torch.from_numpy(values[:, order]))
    assert drive.dtype == torch.float32
    assert torch.equal(drive, shuffled)
    # Nor does adding up one by one, in any precision that holds the digits.
    expected = values.astype(np.float64) @ weight.T + 1
    size = np.abs(weight).max(1) * np.abs(values).max(1, keepdims=True)
    assert np.all(np.abs(drive.numpy() - expected) <= INPUTS * size * 2.0**-10 + 1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_neither_do_the_samples_beside(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    sums = ExactSums((Conv2d(random.normal(size=(4, 3, 3, 3)), random.normal(size=4), padding=(1, 1)),))
    values = torch.from_numpy(random.normal(size=(count, 3, 6, 5)).astype(np.float32) * random.uniform(1e-4, 1e4))
    together = sums.drive(values)
    assert torch.equal(together, torch.cat([sums.drive(each[None]) for each in values]))
    assert torch.equal(together, sums.drive(values.contiguous(memory_format=torch.channels_last)))


def operations() -> list[tuple[str, Conv2d | Linear | Sparse, tuple[int, ...]]]:
    random = np.random.default_rng(0)
    dense = random.normal(size=(12, 100)) * (random.random((12, 100)) < 0.2)
    dense[3] = 0
    return [
        ("convolution", Conv2d(random.normal(size=(6, 2, 3, 3)), random.normal(size=6), (2, 1), groups=2), (4, 7, 7)),
        ("a bias of its own at the border", Conv2d(np.ones((2, 4, 1, 1)), random.normal(size=(2, 5, 5))), (4, 5, 5)),
        ("pixel", Conv2d(random.normal(size=(6, 4, 1, 1)), np.zeros(6), padding=(2, 2)), (4, 1, 1)),
        ("sparse", Sparse(csr_matrix(dense), np.ones((3, 2, 2)), (3, 2, 2), (4, 5, 5)), (4, 5, 5)),
        ("sparse of no entries", Sparse(csr_matrix((4, 100)), np.ones(4), (4,), (4, 5, 5)), (4, 5, 5)),
        ("dense", Linear(random.normal(size=(5, 100)), random.normal(size=5)), (4, 5, 5)),
        ("of very many inputs", Linear(random.uniform(-1, 1, (5, 30_000)), np.zeros(5)), (30_000,)),
        ("of weights that are 0", Linear(np.zeros((5, 3)), np.ones(5)), (3,)),
        ("of sizes far apart", Linear(np.geomspace(1e-12, 1e12, 12).reshape(3, 4), np.zeros(3)), (4,)),
    ]


@pytest.mark.parametrize(("name", "operation", "shape"), operations())
def test_the_drive_is_that_of_the_operation(name: str, operation: Conv2d | Linear | Sparse, shape: tuple) -> None:
    values = torch.from_numpy(np.random.default_rng(1).normal(size=(8, *shape))).relu()
    values[0] = 0
    found, expected = ExactSums((operation,)).drive(values).double(), operation.apply(values)
    assert torch.allclose(found[0], expected[0], rtol=1e-6)
    error = (found - expected).flatten(1).norm(dim=0)
    assert torch.all(error <= 2e-3 * expected.flatten(1).norm(dim=0) + 1e-30)


def test_several_synapses_add_up() -> None:
    random = np.random.default_rng(2)
    first, second = (Linear(random.normal(size=(3, 4)), random.normal(size=3)) for _ in range(2))
    values = [torch.from_numpy(random.normal(size=(2, 4)).astype(np.float32)) for _ in range(2)]
    found = ExactSums((first, second)).drive(*values)
    assert torch.allclose(found, first.apply(values[0]) + second.apply(values[1]), atol=1e-3)


def test_partial_sums_are_exact_for_the_worst_of_inputs() -> None:
    """All weights of one sign, all inputs at the end of their range, more of them than float32 has bits to spare."""
    count = 300_000
    assert count > 2 * INPUTS_MAXIMUM
    sums = ExactSums((Linear(np.full((1, count), 1 / 3), np.zeros(1)),))
    values = torch.full((1, count), 0.999999)
    drive = sums.drive(values)
    assert abs(float(drive) / (count * 0.999999 / 3) - 1) < 2e-4
    for _, _, digits in sums._pieces[0]:
        for weight, _ in digits:
            assert float(weight.double().abs().sum()) * 2**7 <= 2**24
