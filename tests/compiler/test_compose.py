"""Two linear operations as one: exact, or not at all."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.networks import assert_equal_values, pairs

from snnc.compiler.ir import Conv2d, Linear
from snnc.compiler.lowering.compose import into_conv2d, into_linear


def fits(op: Conv2d, shape: tuple[int, ...]) -> bool:
    try:
        op.output_shape(shape)
    except ValueError:
        return False
    return True


@st.composite
def convolutions(draw: st.DrawFn, shape: tuple[int, ...], *, pooling: bool = False) -> Conv2d:
    channels = shape[0]
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    kernel, stride = draw(pairs(1, 3)), draw(pairs(1, 3))
    padding, dilation = draw(pairs(0, 2)), draw(pairs(1, 2))
    groups = draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))
    outputs = groups * draw(st.integers(1, 3))
    bias: np.ndarray = rng.normal(size=outputs)
    if pooling:
        groups, outputs, dilation, stride = channels, channels, (1, 1), draw(st.sampled_from([kernel, stride]))
        bias = np.zeros(outputs)
    op = Conv2d(rng.normal(size=(outputs, channels // groups, *kernel)), bias, stride, padding, dilation, groups)
    if not pooling and fits(op, shape) and draw(st.booleans()):
        op = Conv2d(op.weight, rng.normal(size=op.output_shape(shape)), stride, padding, dilation, groups)
    return op


@st.composite
def chains(draw: st.DrawFn, *, pooling: bool = False) -> tuple[Conv2d, Conv2d, tuple[int, ...]]:
    shape = (draw(st.sampled_from([1, 2, 4, 6])), draw(st.integers(3, 12)), draw(st.integers(3, 12)))
    first = draw(convolutions(shape, pooling=pooling).filter(lambda op: fits(op, shape)))
    inner = first.output_shape(shape)
    second = draw(convolutions(inner).filter(lambda op: fits(op, inner)))
    return first, second, shape


def compare(composed: Conv2d | Linear, first: Conv2d | Linear, second: Conv2d | Linear, shape: tuple[int, ...]) -> None:
    batch = torch.as_tensor(np.random.default_rng(0).normal(size=(2, *shape)))
    expected = second.apply(first.apply(batch))
    assert composed.output_shape(shape) == tuple(expected.shape[1:])
    assert_equal_values(composed.apply(batch), expected, 1e-12)


@given(chains() | chains(pooling=True))
def test_one_convolution_for_two_is_exact_wherever_it_is_given(chain) -> None:
    first, second, shape = chain
    composed = into_conv2d(first, second, shape)
    if composed is not None:
        compare(composed, first, second, shape)


def sizes_agree(first: Conv2d, second: Conv2d, shape: tuple[int, ...]) -> bool:
    """Whether one window that slides with the product of the strides takes as many positions."""
    outputs = second.output_shape(first.output_shape(shape))
    for axis in range(2):
        step = first.stride[axis]
        span = first.dilation[axis] * (first.weight.shape[axis + 2] - 1) + 1
        outer = second.dilation[axis] * (second.weight.shape[axis + 2] - 1) + 1
        whole = step * (outer - 1) + span
        size = shape[axis + 1] + 2 * (first.padding[axis] + second.padding[axis] * step)
        if (size - whole) // (step * second.stride[axis]) + 1 != outputs[axis + 1]:
            return False
    return True


@given(chains())
def test_without_padding_of_the_second_one_only_the_size_can_stand_in_the_way(chain) -> None:
    first, second, shape = chain
    second = Conv2d(second.weight, second.bias, second.stride, (0, 0), second.dilation, second.groups)
    inner = first.output_shape(shape)
    if fits(second, inner) and second.bias.ndim == 1:
        assert (into_conv2d(first, second, shape) is not None) == sizes_agree(first, second, shape)


@given(chains(pooling=True))
def test_with_padding_windows_that_hold_only_padding_do_not_stand_in_the_way(chain) -> None:
    first, second, shape = chain
    _, *inner = first.output_shape(shape)
    nothing_outside = all(
        first.weight.shape[axis + 2] <= first.stride[axis] + first.padding[axis]
        and inner[axis] * first.stride[axis] - first.padding[axis] >= shape[axis + 1]
        for axis in range(2)
    )
    if nothing_outside:
        assert (into_conv2d(first, second, shape) is not None) == sizes_agree(first, second, shape)


@given(st.integers(1, 3), st.integers(1, 4), st.booleans())
def test_pooling_whose_windows_tile_the_image_folds_into_a_padded_convolution(
    window: int, tiles: int, bias: bool
) -> None:
    rng = np.random.default_rng(window)
    shape = (2, window * tiles, window * tiles)
    pool = Conv2d(np.full((2, 1, window, window), window**-2.0), np.zeros(2), (window, window), groups=2)
    second = Conv2d(rng.normal(size=(3, 2, 3, 3)), rng.normal(size=3) * bias, padding=(1, 1))
    composed = into_conv2d(pool, second, shape)
    assert composed is not None
    compare(composed, pool, second, shape)


def test_a_bias_seen_through_padding_is_not_folded() -> None:
    pool = Conv2d(np.full((1, 1, 2, 2), 0.25), np.ones(1), (2, 2))
    second = Conv2d(np.ones((1, 1, 3, 3)), np.zeros(1), padding=(1, 1))
    assert into_conv2d(pool, second, (1, 4, 4)) is None


@given(chains() | chains(pooling=True))
def test_a_linear_layer_takes_any_convolution(chain) -> None:
    first, _, shape = chain
    rng = np.random.default_rng(0)
    features = int(np.prod(first.output_shape(shape)))
    second = Linear(rng.normal(size=(3, features)), rng.normal(size=3))
    compare(into_linear(first, second, shape), first, second, shape)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(1, 5))
def test_a_linear_layer_takes_another(inputs: int, width: int, outputs: int) -> None:
    rng = np.random.default_rng(inputs)
    first = Linear(rng.normal(size=(width, inputs)), rng.normal(size=width))
    second = Linear(rng.normal(size=(outputs, width)), rng.normal(size=outputs))
    compare(into_linear(first, second, (inputs,)), first, second, (inputs,))


@given(chains())
def test_a_dense_kernel_computes_what_the_grouped_one_does(chain) -> None:
    first, _, shape = chain
    dense = Conv2d(first.dense_weight, first.bias, first.stride, first.padding, first.dilation, 1)
    batch = torch.as_tensor(np.random.default_rng(0).normal(size=(2, *shape)))
    assert_equal_values(dense.apply(batch), first.apply(batch), 1e-12)
