"""Sigma-delta networks on Lava: netx loads the file, runs it with nothing attached, and gives what sim gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import Case
from support.runs import assert_equal_results
from support.sigma_delta import chains, compiled, convolutional_chain, dataset, dense_chain

import snnc
from snnc.common.errors import OptionError
from snnc.compiler.quantization.sigma_delta.units import kept_by_netx
from snnc.inputs.data import input_levels
from snnc.program import SigmaDeltaProgram
from snnc.runtime.lava import running_network
from snnc.runtime.lava.engine import Engine
from snnc.runtime.lava.population import Process

pytestmark = pytest.mark.lava


def run_stock(path: Path, levels: np.ndarray, steps: int) -> np.ndarray:
    """What lava-dl's own netx makes of a file and one sample: the output of the last step. Nothing of snnc is used."""
    from lava.lib.dl.netx import hdf5
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    network = hdf5.Network(net_config=str(path))
    # netx has images as (width, height, channels); the sample is held at the input.
    held = np.repeat(levels.transpose()[..., None], steps, axis=-1).astype(np.int32)
    source, sink = Source(data=held), Sink(shape=network.out_layer.shape, buffer=steps)
    source.s_out.connect(network.in_layer.neuron.a_in)
    network.out_layer.out.connect(sink.a_in)
    try:
        network.run(condition=RunSteps(steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        output: np.ndarray = sink.data.get()
        return output[..., -1]
    finally:
        network.stop()


@pytest.mark.parametrize("case", [dense_chain(), convolutional_chain()], ids=["dense", "convolutional"])
def test_stock_netx_runs_the_file_with_nothing_attached(tmp_path: Path, case: Case) -> None:
    program = compiled(case)
    program.save(tmp_path / "a.net")
    levels = input_levels(program, dataset(case)).values
    expected = snnc.run(program, dataset(case), samples=1).readout[0]
    assert np.array_equal(run_stock(tmp_path / "a.net", levels[0], program.timesteps), expected)


def test_lava_is_not_waited_for_longer_than_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: --lava-timeout was not handed on to sigma-delta networks."""
    asked = []

    class Asked(Engine):
        def __init__(self, process: Process, models: str, timeout: float) -> None:
            asked.append(timeout)
            super().__init__(process, models, timeout)

    monkeypatch.setattr(running_network, "Engine", Asked)
    case = dense_chain()
    snnc.run(compiled(case), dataset(case), samples=1, backend="lava", lava_timeout=77.0)
    assert asked == [77.0]


@pytest.mark.parametrize("models", ["fast", "stock"])
@pytest.mark.parametrize("case", [dense_chain(), convolutional_chain()], ids=["dense", "convolutional"])
@pytest.mark.parametrize("delta_threshold", [0, 2])
def test_sim_and_lava_send_the_same_messages(case: Case, models: str, delta_threshold: int) -> None:
    program = compiled(case, delta_threshold=delta_threshold)
    expected = snnc.run(program, dataset(case), samples=3, record=True)
    found = snnc.run(program, dataset(case), samples=3, record=True, backend="lava", lava_models=models)
    assert_equal_results(expected, found)
    assert sum(int(each.sum()) for each in expected.spike_counts) > 10


@settings(max_examples=5)
@given(chains(), st.integers(0, 1))
def test_sim_and_lava_agree_on_any_chain(case: Case, delta_threshold: int) -> None:
    program = compiled(case, delta_threshold=delta_threshold)
    found = snnc.validate(program, case.module, dataset(case), lava=True, lava_samples=3)
    # What random weights are worth is not asked here.
    assert found.agreement is not None and found.agreement.complete
    assert set(found.failures()) <= set(found.verdict.failures())


def test_the_order_of_samples_does_not_matter() -> None:
    """Each starts from rest: nothing of one is left in the next."""
    case = convolutional_chain()
    program = compiled(case)
    whole = snnc.run(program, dataset(case), samples=3, backend="lava").readout
    turned = snnc.run(program, case.levels[2::-1], backend="lava").readout
    assert np.array_equal(whole, turned[::-1])


def test_several_workers_are_refused_in_one_line() -> None:
    program = compiled(dense_chain())
    for options in ({"workers": 2}, {"cluster": "ray"}):
        with pytest.raises(OptionError, match="sigma-delta networks run on one worker"):
            snnc.run(program, dataset(dense_chain()), samples=1, backend="lava", **options)


WEIGHTS = st.integers(-127, 127)


@settings(max_examples=300)
@given(st.tuples(WEIGHTS, WEIGHTS).map(sorted), st.integers(0, 1000))
def test_netx_and_lava_leave_weights_as_they_are(ends: list[int], seed: int) -> None:
    from lava.lib.dl.netx.utils import optimize_weight_bits
    from lava.utils.weightutils import clip_weights, determine_sign_mode, truncate_weights

    inside = np.random.default_rng(seed).integers(ends[0], ends[1] + 1, (2, 2))
    weight = kept_by_netx(np.array([ends, *inside.tolist()]).astype(np.int16))
    if not weight.any() or (weight.max() <= 0 and weight.min() == -1):
        return  # refused by the compiler
    scaled, bits, exponent, _ = optimize_weight_bits(weight.astype(int))
    mode = determine_sign_mode(scaled)
    kept = truncate_weights(clip_weights(scaled, mode, num_bits=8), mode, bits)
    assert np.array_equal(kept * 2.0**exponent, weight)


def test_a_program_from_a_file_runs_as_it_did(tmp_path: Path) -> None:
    program = compiled(dense_chain())
    program.save(tmp_path / "a.net")
    loaded = snnc.load(tmp_path / "a.net")
    assert isinstance(loaded, SigmaDeltaProgram)
    assert_equal_results(
        snnc.run(program, dataset(dense_chain()), samples=2), snnc.run(loaded, dataset(dense_chain()), samples=2)
    )
