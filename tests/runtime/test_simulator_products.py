"""Each way to compute what a synapse adds: exact, or not taken."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.programs import weights
from support.reference import arriving

from snnc.program import Synapse
from snnc.program.connections import window_output
from snnc.runtime.simulator import integer_convolution as integers
from snnc.runtime.simulator.connection import block_shape, connect
from snnc.runtime.simulator.window_product import LARGEST_INPUT, WindowProduct, integer_products_work

CPU = torch.device("cpu")


@given(st.data())
def test_products_of_8_bits_and_of_windows_are_those_of_the_definition(data: st.DataObject) -> None:
    """Convolutions of every form that fits, with the largest weights and payloads that are allowed."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**20)))
    groups = data.draw(st.sampled_from([1, 1, 2, 3]))
    source = (groups * data.draw(st.integers(1, 6)), data.draw(st.integers(1, 7)), data.draw(st.integers(1, 7)))
    kernel, stride, dilation, padding = (
        tuple(data.draw(st.integers(low, high)) for _ in range(2)) for low, high in ((1, 4), (1, 3), (1, 2), (0, 3))
    )
    spans = [step * (size - 1) + 1 for step, size in zip(dilation, kernel, strict=True)]
    if any(span > size + 2 * pad for span, size, pad in zip(spans, source[1:], padding, strict=True)):
        return
    extremes = rng.random((groups * data.draw(st.integers(1, 5)), source[0] // groups, *kernel)) < 0.3
    weight = np.where(extremes, -256, 2 * rng.integers(-128, 128, extremes.shape)).astype(np.int16)
    synapse = Synapse(-1, "conv", weight, stride, padding, dilation, groups, data.draw(st.integers(0, 2)))
    check_products(synapse, source, rng, data.draw(st.sampled_from([1, integers.LARGEST_INPUT])))


@given(st.integers(0, 2**20), st.integers(1, 40), st.integers(1, 9), st.sampled_from([(7,), (3, 2, 4), (2, 1, 1)]))
def test_dense_products_are_those_of_the_definition(
    seed: int, scale: int, outputs: int, source: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(seed)
    weight = 2 * rng.integers(-128, 128, (outputs, int(np.prod(source)))).astype(np.int16)
    check_products(Synapse(-1, "dense", weight, exponent=scale % 3), source, rng, 1 + scale)


def check_products(synapse: Synapse, source: tuple[int, ...], rng: np.random.Generator, largest: int) -> None:
    values = rng.integers(0, largest + 1, (2, *source)).astype(np.uint8)
    shape = output_shape(synapse, source)
    expected = np.stack([arriving(each.astype(np.int64), synapse, shape) for each in values])
    given_values = torch.from_numpy(values)
    eight_bits = integer_products_work(CPU) and largest <= LARGEST_INPUT
    numbers = [torch.float32, torch.float64] + [torch.int8] * eight_bits
    ways = [
        WindowProduct(synapse, expected[0].size, number=number, dtype=torch.float32, device=CPU) for number in numbers
    ]
    if integers.IntegerProduct.suits(synapse, source, largest):
        ways.append(integers.IntegerProduct(synapse, source))
    for way in ways:
        found = way(given_values)
        assert found.dtype == torch.float32 and np.array_equal(found.numpy().reshape(expected.shape), expected)


@given(st.integers(0, 2**20), st.tuples(st.integers(1, 3), st.integers(1, 3)), st.booleans(), st.data())
def test_pooling_in_a_kernel_is_computed_as_sums_of_blocks(
    seed: int, block: tuple[int, int], native: bool, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    blocks = [data.draw(st.integers(1, 4)) for _ in range(2)]
    kernel = [data.draw(st.integers(1, size)) for size in blocks]
    channels, groups = data.draw(st.sampled_from([(2, 1), (2, 2), (3, 1)]))
    weight = weights(rng, (2 * groups, channels // groups, *kernel), limit=40)
    stride, padding = ([each * data.draw(st.integers(low, 2)) for each in block] for low in (1, 0))
    synapse = Synapse(
        0, "conv", weight.repeat(block[0], 2).repeat(block[1], 3), tuple(stride), tuple(padding), groups=groups
    )
    source = (channels, *(size * each for size, each in zip(blocks, block, strict=True)))
    found = block_shape(synapse, source, 1)
    assert all(each % wanted == 0 for each, wanted in zip(found, block, strict=True))
    shape = output_shape(synapse, source)
    connection = connect(
        synapse, source, shape, largest=1, largest_sum=9999, dtype=torch.float32, device=CPU, native=native
    )
    values = rng.integers(0, 2, (2, *source)).astype(np.uint8)
    expected = [arriving(each.astype(np.int64), synapse, shape) for each in values]
    assert np.array_equal(connection(torch.from_numpy(values)).numpy(), expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (2, 2)),
        ({"stride": (1, 2)}, (1, 2)),
        ({"padding": (2, 3)}, (2, 1)),
        ({"dilation": (2, 1)}, (1, 1)),
        ({"source": (1, 7, 8)}, (1, 2)),
        ({"largest": 100}, (1, 2)),
        ({"largest": 200}, (1, 1)),
    ],
    ids=str,
)
def test_only_whole_blocks_are_added_up(changes: dict, expected: tuple[int, int]) -> None:
    weight = np.arange(2, 10, 2, dtype=np.int16).reshape(1, 1, 2, 2).repeat(2, 2).repeat(2, 3)
    options = {"stride": (2, 2), "padding": (2, 2), "dilation": (1, 1), "source": (1, 8, 8), "largest": 1, **changes}
    source, largest = options.pop("source"), options.pop("largest")
    assert block_shape(Synapse(0, "conv", weight, **options), source, largest) == expected


def output_shape(synapse: Synapse, source: tuple[int, ...]) -> tuple[int, ...]:
    if synapse.kind == "dense":
        return (len(synapse.weight),)
    options = zip(source[1:], synapse.weight.shape[2:], synapse.stride, synapse.padding, synapse.dilation, strict=True)
    return (len(synapse.weight), *(window_output(*each) for each in options))


def test_half_precision_is_exact_while_sums_stay_below_its_limit() -> None:
    weight = np.full((1, 16), 128, np.int16)
    synapse = Synapse(-1, "dense", weight)
    way = WindowProduct(synapse, 1, number=torch.half, dtype=torch.float32, device=CPU)
    assert way(torch.ones((1, 16), dtype=torch.uint8)).tolist() == [[2048.0]]


@pytest.mark.parametrize(("weight", "largest"), [(3, 1), (256, 1), (-258, 1), (2, integers.LARGEST_INPUT + 1)], ids=str)
def test_what_8_bits_do_not_hold_is_left_to_floating_point(weight: int, largest: int) -> None:
    synapse = Synapse(-1, "dense", np.array([[weight]], np.int16))
    assert not integers.IntegerProduct.suits(synapse, (1,), largest)
    connection = connect(
        synapse, (1,), (1,), largest=largest, largest_sum=70_000, dtype=torch.float32, device=CPU, native=True
    )
    assert connection(torch.full((1, 1), largest, dtype=torch.uint8)).tolist() == [[weight * largest]]


def test_a_product_of_8_bits_that_is_wrong_is_not_used(monkeypatch) -> None:
    synapse = Synapse(-1, "dense", np.array([[4, -6]], np.int16))
    monkeypatch.setattr(integers.IntegerProduct, "suits", lambda *_: True)
    monkeypatch.setattr(integers.IntegerProduct, "__call__", lambda self, values: values.float().sum(1, keepdim=True))
    connection = connect(synapse, (2,), (1,), largest=1, largest_sum=10, dtype=torch.float32, device=CPU, native=True)
    assert connection(torch.tensor([[1, 1]], dtype=torch.uint8)).tolist() == [[-2.0]]
