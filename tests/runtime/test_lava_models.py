"""Our process models send what Lava's send, in each step and for whatever arrives."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from support.branching import branching
from support.lava_models import assert_same
from support.programs import levels_for

from snnc.runtime.lava.network import open_network

pytestmark = [pytest.mark.lava, pytest.mark.timeout(280)]

STEPS = 5
SEEDS = st.integers(0, 2**32 - 1)
EXPONENTS = st.integers(-6, 7)
# Weights as chips hold them, and such that sums pass 2^23, 2^24 and 2^31, where membranes, floats and integers wrap.
LARGEST_WEIGHTS = st.sampled_from([6, 255, 1 << 15, 1 << 22])
LARGEST_MESSAGES = st.sampled_from([1, 255, 1 << 20])


def trains(rng: np.random.Generator, shape: tuple[int, ...], largest: int, *, is_graded: bool) -> list[np.ndarray]:
    """What arrives: spikes (of other sizes too: only graded synapses look at sizes), or numbers of both signs."""
    rates = rng.choice([0.0, 0.1, 0.5, 1.0], STEPS)
    low = -largest if is_graded else 1
    return [
        (rng.integers(low, largest + 1, shape) * (rng.random(shape) < rate)).astype(np.int32 if is_graded else np.int8)
        for rate in rates
    ]


@given(st.data(), SEEDS, LARGEST_WEIGHTS, LARGEST_MESSAGES, st.booleans())
def test_conv(data: st.DataObject, seed: int, largest: int, messages: int, is_graded: bool) -> None:
    from lava.proc.conv.models import PyConvModelFixed
    from lava.proc.conv.process import Conv

    from snnc.runtime.lava.fast.conv import FastConvModel

    rng = np.random.default_rng(seed)
    pair = st.tuples(st.integers(1, 3), st.integers(1, 3))
    groups, inputs, outputs = (data.draw(st.integers(1, 3)) for _ in range(3))
    kernel, stride, dilation = (data.draw(pair) for _ in range(3))
    padding = data.draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    size = [
        data.draw(st.integers(max(1, step * (points - 1) + 1 - 2 * zeros), 9))
        for points, step, zeros in zip(kernel, dilation, padding, strict=True)
    ]
    shape = (*size, groups * inputs)
    weight = rng.integers(-largest, largest + 1, (groups * outputs, *kernel, inputs))
    process = Conv(
        weight=weight,
        input_shape=shape,
        padding=padding,
        stride=stride,
        dilation=dilation,
        groups=groups,
        num_message_bits=8 if is_graded else 0,
    )
    arriving = trains(rng, shape, messages if is_graded else 1, is_graded=is_graded)
    assert_same(process, PyConvModelFixed, FastConvModel, "s_in", "a_out", arriving)


def test_conv_past_every_bound() -> None:
    from lava.proc.conv.models import PyConvModelFixed
    from lava.proc.conv.process import Conv

    from snnc.runtime.lava.fast.conv import FastConvModel
    from snnc.runtime.lava.fast.products import float_type

    # Sums of 4 up to which single precision counts, above it, and above 24 bits; double precision, 32 bits, no float.
    for weight, message, precision in (
        ((1 << 22) - 1, 1, np.float32),
        (1 << 22, 1, np.float32),
        ((1 << 22) + 1, 1, np.float64),
        ((1 << 22) + 1, 1 << 9, np.float64),
        ((1 << 30) + 1, 1 << 24, None),
    ):
        assert float_type(4 * weight * message) is precision
        for sign in (1, -1):
            process = Conv(weight=np.full((1, 2, 2, 1), sign * weight), input_shape=(2, 2, 1), num_message_bits=32)
            arriving = [np.full((2, 2, 1), message, np.int32)] * 2
            assert_same(process, PyConvModelFixed, FastConvModel, "s_in", "a_out", arriving)


def matrices(rng: np.random.Generator, form: str, rows: int, columns: int, low: int, high: int) -> csr_matrix:
    """Matrices of each form that the product treats by itself."""
    if form == "diagonal":
        return csr_matrix(np.diag(rng.integers(low, high + 1, rows)))
    kept = np.zeros((rows, columns), bool)
    if form == "few inputs":
        kept[:, rng.integers(columns)] = True
    elif form == "any":
        kept = rng.random((rows, columns)) < 0.5
    return csr_matrix(rng.integers(low, high + 1, (rows, columns)) * kept)


FORMS = st.sampled_from(["diagonal", "few inputs", "any", "empty"])


def sparse_options(data: st.DataObject, is_graded: bool) -> tuple[dict[str, object], tuple[int, int]]:
    """Options of a sparse process, and the range of its weights."""
    from lava.utils.weightutils import SignMode

    sign_mode, span = data.draw(
        st.sampled_from(
            [
                (None, (-300, 300)),
                (None, (1, 300)),
                (None, (-300, -1)),
                (SignMode.MIXED, (-300, 300)),
                (SignMode.MIXED, (-300, -1)),
                (SignMode.EXCITATORY, (0, 300)),
                (SignMode.INHIBITORY, (-300, 0)),
            ]
        )
    )
    options: dict[str, object] = {
        "weight_exp": data.draw(EXPONENTS),
        "num_weight_bits": data.draw(st.integers(5, 8)),
        "num_message_bits": 8 if is_graded else 0,
    }
    return options | ({"sign_mode": sign_mode} if sign_mode else {}), span


@given(st.data(), SEEDS, FORMS, LARGEST_MESSAGES, st.booleans())
def test_sparse(data: st.DataObject, seed: int, form: str, messages: int, is_graded: bool) -> None:
    from lava.proc.sparse.models import PySparseModelBitAcc
    from lava.proc.sparse.process import Sparse

    from snnc.runtime.lava.fast.synapses import FastSparseModel

    rng = np.random.default_rng(seed)
    rows = data.draw(st.integers(1, 20))
    columns = rows if form == "diagonal" else data.draw(st.integers(1, 20))
    options, span = sparse_options(data, is_graded)
    process = Sparse(weights=matrices(rng, form, rows, columns, *span), **options)
    arriving = trains(rng, (columns,), messages, is_graded=is_graded)
    # Nothing changes from one step to the next: what was kept is sent again.
    assert_same(process, PySparseModelBitAcc, FastSparseModel, "s_in", "a_out", [*arriving, arriving[-1]])


@given(st.data(), SEEDS, FORMS, LARGEST_MESSAGES, st.booleans(), st.integers(1, 4))
def test_delay_sparse(data: st.DataObject, seed: int, form: str, messages: int, is_graded: bool, longest: int) -> None:
    from lava.proc.sparse.models import PyDelaySparseModelBitAcc
    from lava.proc.sparse.process import DelaySparse

    from snnc.runtime.lava.fast.synapses import FastDelaySparseModel

    rng = np.random.default_rng(seed)
    rows = data.draw(st.integers(1, 12))
    columns = rows if form == "diagonal" else data.draw(st.integers(1, 12))
    options, span = sparse_options(data, is_graded)
    weights = matrices(rng, form, rows, columns, *span)
    lowest = data.draw(st.sampled_from([0, longest]))
    values = rng.integers(lowest, longest + 1, weights.nnz)
    delays = csr_matrix((values, weights.indices, weights.indptr), weights.shape)
    process = DelaySparse(weights=weights, delays=delays, max_delay=longest, **options)
    arriving = trains(rng, (columns,), messages, is_graded=is_graded)
    if not is_graded:
        arriving = [each != 0 for each in arriving]
    assert_same(process, PyDelaySparseModelBitAcc, FastDelaySparseModel, "s_in", "a_out", arriving)


@given(st.data(), SEEDS, LARGEST_MESSAGES, st.booleans())
def test_dense(data: st.DataObject, seed: int, messages: int, is_graded: bool) -> None:
    from lava.proc.dense.models import PyDenseModelBitAcc
    from lava.proc.dense.process import Dense

    from snnc.runtime.lava.fast.synapses import FastDenseModel

    rng = np.random.default_rng(seed)
    shape = (data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20)))
    options, (low, high) = sparse_options(data, is_graded)
    process = Dense(weights=rng.integers(low, high + 1, shape), **options)
    arriving = trains(rng, shape[1:], messages, is_graded=is_graded)
    assert_same(process, PyDenseModelBitAcc, FastDenseModel, "s_in", "a_out", arriving)


@given(st.data(), SEEDS, st.booleans(), st.integers(1, 4))
def test_delay_dense(data: st.DataObject, seed: int, is_graded: bool, longest: int) -> None:
    from lava.proc.dense.models import PyDelayDenseModelBitAcc
    from lava.proc.dense.process import DelayDense

    from snnc.runtime.lava.fast.synapses import FastDelayDenseModel

    rng = np.random.default_rng(seed)
    shape = (data.draw(st.integers(1, 12)), data.draw(st.integers(1, 12)))
    options, (low, high) = sparse_options(data, is_graded)
    weights, delays = rng.integers(low, high + 1, shape), rng.integers(0, longest + 1, shape)
    process = DelayDense(weights=weights, delays=delays, max_delay=longest, **options)
    # Lava's own multiplies in 32 bits and adds up in 64: numbers of so many bits fit both.
    arriving = trains(rng, shape[1:], 1 << 10, is_graded=is_graded)
    if not is_graded:
        arriving = [each != 0 for each in arriving]
    assert_same(process, PyDelayDenseModelBitAcc, FastDelayDenseModel, "s_in", "a_out", arriving)


@given(st.data(), SEEDS, st.sampled_from([3, 1 << 10, 1 << 17, 1 << 24]), st.booleans())
def test_neurons(data: st.DataObject, seed: int, largest: int, resets: bool) -> None:
    from lava.proc.lif.models import PyLifModelBitAcc, PyLifResetModelBitAcc
    from lava.proc.lif.process import LIF, LIFReset

    from snnc.runtime.lava.fast.neurons import FastLIFModel, FastLIFResetModel

    rng = np.random.default_rng(seed)
    shape = data.draw(st.sampled_from([(1,), (7,), (2, 3, 4)]))
    options = {
        "shape": shape,
        "u": rng.integers(-(1 << 23), 1 << 23, shape),
        "v": rng.integers(-(1 << 23), 1 << 23, shape),
        "du": data.draw(st.sampled_from([-1, 0, 100, 4095])),
        "dv": data.draw(st.sampled_from([0, 100, 4095, 4096])),
        "vth": data.draw(st.sampled_from([0, 10, 5000, 131071])),
        "bias_mant": rng.integers(-4096, 4096, shape),
        "bias_exp": rng.integers(-3, 8, shape),
    }
    arriving = [rng.integers(-largest, largest + 1, shape).astype(np.int32) for _ in range(2 * STEPS)]
    if resets:
        process = LIFReset(**options, reset_interval=data.draw(st.integers(1, 4)), reset_offset=3)
        assert_same(process, PyLifResetModelBitAcc, FastLIFResetModel, "a_in", "s_out", arriving)
    else:
        assert_same(LIF(**options), PyLifModelBitAcc, FastLIFModel, "a_in", "s_out", arriving)


def test_a_step_takes_one_product_for_each_convolution_and_prepares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from snnc.runtime.lava.fast import conv, synapses

    done: list[str] = []

    def counted(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object) -> object:
            done.append(name)
            return function(*arguments)

        return call

    monkeypatch.setattr(conv.PatchProduct, "multiply", counted("product", conv.PatchProduct.multiply))
    monkeypatch.setattr(conv.PatchProduct, "__init__", counted("arrays", conv.PatchProduct.__init__))
    monkeypatch.setattr(synapses, "loihi_weights", counted("weights", synapses.loihi_weights))
    program = branching()
    with open_network(program, levels_for(program, 2), "fast") as network:
        network.run(2)
        models = network._read.runtime.models
        convolutions = sum(isinstance(model, conv.FastConvModel) for model in models)
        kinds = (synapses.FastDenseModel, synapses.FastSparseModel, synapses.FastDelaySparseModel)
        assert convolutions > 0
        assert done.count("weights") == sum(isinstance(model, kinds) for model in models) > 0
        assert done.count("arrays") == convolutions
        done.clear()
        network.run(7)
        assert done.count("product") == 7 * convolutions
        assert done.count("weights") == 0 and done.count("arrays") == 0
