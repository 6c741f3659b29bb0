"""netx files against Lava itself, and against the ground truth that lava-dl's wheel brings (tests/lava/lib/dl/netx)."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.netx_files import dense, random_file

from snnc.program.netx import NetxNetwork, load_netx
from snnc.program.netx.blocks import loihi_dense_weights
from snnc.runtime.backends import run_netx
from snnc.runtime.netx import NetxResult, NetxSchedule, NetxSimulator
from snnc.runtime.options import NetxRunOptions

pytestmark = pytest.mark.lava


@pytest.fixture(scope="module")
def published() -> Path:
    """The folder of lava-dl's own test networks."""
    found = importlib.util.find_spec("lava.lib.dl.netx")
    assert found is not None and found.origin is not None
    folder = Path(found.origin).parents[4] / "tests" / "lava" / "lib" / "dl" / "netx"
    if not folder.is_dir():
        pytest.skip("this lava-dl came without its tests")
    return folder


def simulated(network: NetxNetwork, values: np.ndarray, schedule: NetxSchedule, **options: int) -> NetxResult:
    return NetxSimulator(network).run(values, schedule, record=range(len(network.blocks)), **options)


def in_lava_order(spikes: np.ndarray) -> np.ndarray:
    """(steps, channels, height, width) as (width, height, channels, steps)."""
    return spikes.transpose()


def test_tinynet(published: Path) -> None:
    network = load_netx(published / "tiny.net")
    truth = published / "gts" / "tinynet"
    biases = np.load(truth / "input_bias.npy").astype(np.int32).transpose()[None, None]
    found = simulated(network, biases, NetxSchedule.of(network, 16))
    for index, name in enumerate(("input", "layer1", "output")):
        # (1, channels, height, width, steps), a step later.
        expected = np.load(truth / f"{name}.npy")[0, ..., 1:] > 0
        assert np.array_equal(np.moveaxis(found.spikes[index][0, :15], 0, -1), expected), name
        assert expected.any()


def test_pilotnet_lif(published: Path) -> None:
    network = load_netx(published / "gts" / "pilotnet_lif" / "network.net")
    truth = published / "gts" / "pilotnet_lif"
    image = np.load(truth / "image.npy").transpose()[None, None]
    # The published trains have 24 of Lava's steps, and all neurons are reset behind 17; `input-s` behind 16.
    for timesteps, names in (
        (17, ["input", *(f"conv-{index}" for index in range(5)), *(f"fc-{index}" for index in range(3))]),
        (16, ["input-s"]),
    ):
        found = simulated(network, np.repeat(image, 2, axis=0), NetxSchedule.of(network, timesteps))
        for index, name in enumerate(names):
            expected = np.load(truth / f"{name}.npy") > 0
            latency, steps = index, expected.shape[-1] - index
            trains = np.concatenate(list(found.spikes[index]))[:steps]
            assert np.array_equal(in_lava_order(trains), expected[..., latency:]), name


def test_ntidigits_whose_synapses_have_delays(published: Path) -> None:
    folder = published / "gts" / "ntidigits"
    network = load_netx(folder / "ntidigits.net")
    spikes = np.load(folder / "input.npy").T.astype(np.int32)
    found = simulated(network, spikes.reshape(1, -1, *network.input_shape), NetxSchedule.of(network, None))
    expected = np.load(folder / "output.npy").T > 0
    # Published with the delay of three layers and one step more.
    assert np.array_equal(found.spikes[2][0, :-4], expected[4:])
    assert expected.sum() == 22572
    assert found.scores(network).shape == (1, 11)


def test_mnist_is_as_on_lava(published: Path) -> None:
    path = published / "mnist.net"
    network = load_netx(path)
    rng = np.random.default_rng(0)
    values = rng.integers(-10, 140, (2, 1, 784))
    schedule = NetxSchedule.of(network, None)
    assert schedule.timesteps == 16 and network.blocks[-1].neurons.is_readout
    # Setting the biases of a second sample takes Lava's own runtime many seconds.
    assert_same(path, network, values[:1], schedule, "stock")
    assert_same(path, network, values, schedule, "fast")


def assert_same(
    path: Path, network: NetxNetwork, values: np.ndarray, schedule: NetxSchedule, models: str, input_bits: int = 0
) -> None:
    record = range(len(network.blocks))
    options = NetxRunOptions(input_bits=input_bits)
    on_lava = replace(options, backend="lava", lava_models=models)
    expected = run_netx(path, network, values, schedule, on_lava, record=record)
    found = run_netx(path, network, values, schedule, options, record=record)
    for index in record:
        assert np.array_equal(found.spikes[index], expected.spikes[index]), network.blocks[index].name
        assert np.array_equal(found.spike_counts[index], expected.spike_counts[index])
    assert np.array_equal(found.counts, expected.counts)
    assert np.array_equal(found.potentials, expected.potentials)
    assert sum(int(each.sum()) for each in found.spike_counts) > 0
    if found.input_counts is not None:
        assert expected.input_counts is not None and np.array_equal(found.input_counts, expected.input_counts)


@pytest.mark.parametrize("models", ["fast", "stock"])
@pytest.mark.parametrize(
    ("seed", "memory", "resets", "bits"),
    [
        (1, "", (None, None), 0),
        (2, "returns", (3, 0), 5),
        (13, "delays", (None, None), 0),
        (17, "delays", (None, None), 0),
        (18, "returns", (None, None), 0),
        (18, "delays", (0, 0), 0),
    ],
)
def test_random_networks_are_as_on_lava(
    tmp_path: Path, models: str, seed: int, memory: str, resets: tuple[int | None, int | None], bits: int
) -> None:
    rng = np.random.default_rng(seed)
    block = seed not in (2, 13)
    file = random_file(rng, block=block, delays=memory == "delays", returns=memory == "returns")
    file.entries[1]["neuron"]["refDelay"] = 3
    path = file.write(tmp_path / "net.net")
    network = load_netx(path)
    assert any("refDelay" in note for note in network.notes) and network.remembers == bool(memory)
    shape = (2, 4 if seed % 2 else 1, *network.input_shape)
    values = rng.integers(-20, 90, shape) if block else rng.integers(0, max(2, 1 << bits), shape)
    schedule = NetxSchedule.of(network, 4, reset_interval=resets[0], reset_offset=resets[1])
    assert_same(path, network, values, schedule, models, bits)


def test_currents_wrap_around_as_on_lava(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    path = random_file(rng, block=False, delays=False, wide=True).write(tmp_path / "net.net")
    network = load_netx(path)
    values = rng.integers(0, 200, (1, 6, *network.input_shape))
    schedule = NetxSchedule.of(network, 6)
    wraps = simulated(network, values, schedule, input_bits=8).wraps
    assert wraps is not None and wraps[0] > 0
    assert_same(path, network, values, schedule, "stock", 8)


def test_skipped_layers_are_as_on_lava(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    path = random_file(rng, block=True, delays=False).write(tmp_path / "net.net")
    network = load_netx(path, skip_layers=2, num_layers=4)
    values = rng.integers(0, 2, (2, 5, *network.input_shape))
    assert_same(path, network, values, NetxSchedule.of(network, 5), "fast")


@given(st.integers(-256, 255), st.integers(-256, 255), st.integers(0, 4), st.integers(0, 1 << 32), st.booleans())
def test_dense_weights_are_those_that_netx_and_lava_make(
    low: int, high: int, zeros: int, seed: int, with_zero: bool
) -> None:
    import contextlib
    import io

    from lava.lib.dl.netx.utils import optimize_weight_bits
    from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

    rng = np.random.default_rng(seed)
    weight = rng.integers(min(low, high), max(low, high) + 1, (3, 9)) >> zeros << zeros
    if with_zero:
        weight[0, 0] = 0
    # As netx does with recurrent layers: scaled together, cut each by its own signs.
    parts = [weight[:, :5], weight[:, 5:]] if seed % 2 else [weight]
    found = loihi_dense_weights(*parts)
    if not weight.any():
        assert not any(acting.any() for acting, _ in found)
        return
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(divide="ignore"):
        scaled, bits, exponent, _ = optimize_weight_bits(weight.copy())
    begin = 0
    for acting, shift in found:
        own = scaled[:, begin : begin + acting.shape[1]]
        begin += acting.shape[1]
        mode = determine_sign_mode(own)
        kept = truncate_weights(clip_weights(own, mode, num_bits=8), mode, bits).astype(np.int64)
        spikes = rng.integers(0, 2, (own.shape[1], 40))
        sums = kept @ spikes
        expected = np.left_shift(sums, exponent) if exponent > 0 else np.right_shift(sums, -exponent)
        assert np.array_equal((acting.astype(np.int64) @ spikes) >> shift, expected)


def test_a_matrix_of_zeros_alone_is_lavas_to_refuse(tmp_path: Path) -> None:
    from support.netx_files import NetxFile

    from snnc.common.errors import BackendError

    rng = np.random.default_rng(7)
    path = NetxFile([dense(rng, 3, 2, weight=np.zeros((2, 3)))]).write(tmp_path / "net.net")
    network = load_netx(path)
    assert any("all weights are 0" in note for note in network.notes)
    values, schedule = np.ones((1, 4, 3), int), NetxSchedule.of(network, 4)
    with np.errstate(divide="ignore"), pytest.raises(BackendError, match="Lava failed"):
        run_netx(path, network, values, schedule, NetxRunOptions(backend="lava"))
    assert run_netx(path, network, values, schedule).counts.shape == (1, 2)
