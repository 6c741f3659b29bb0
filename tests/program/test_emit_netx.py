"""Stock netx opens every file, with the same shapes, thresholds and weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.written_programs import sample, wide

from snnc.program import Gate, InputCoding, Layer, Membrane, Program, Provenance, Scaled, Synapse
from snnc.program.net import save
from snnc.program.net.chain import joined_groups


def chain(*layers: Layer, shape: tuple[int, ...]) -> Program:
    ones = np.ones(shape[0])
    return Program(
        "loihi2", 6, InputCoding("graded", shape, ones, ones, ones, ones), layers, (), Provenance("", "", "", 0)
    )


def built(name: str, shape: tuple[int, ...], synapse: Synapse, *, fires: bool) -> Layer:
    bias = np.zeros((shape[0],) + (1,) * (len(shape) - 1), np.int32)
    if not fires:
        return Layer(name, (), shape, (synapse,), bias, None, 0, None, np.ones(shape[0]), Membrane((0, 1)))
    gate = Gate(Scaled(255, 7), 1)
    return Layer(name, (), shape, (synapse,), bias, Scaled(200, 1), 50, gate, np.ones(shape[0]), Membrane((0, 1)))


def even(*shape: int, low: int = -128) -> np.ndarray:
    return (2 * np.random.default_rng(1).integers(low, 128, shape)).astype(np.int16)


def lava_programs() -> dict[str, Program]:
    """Every kind of file."""
    conv = built("conv", (4, 3, 4), Synapse(-1, "conv", even(4, 2, 3, 2), (2, 1), (1, 0), (1, 2), 1), fires=True)
    grouped = built("conv", (4, 6, 6), Synapse(-1, "conv", even(4, 1, 3, 3), (1, 1), (1, 1), (1, 1), 2), fires=True)
    convolutional = built("conv", (3, 4, 4), Synapse(0, "conv", even(3, 4, 3, 3)), fires=False)
    positive = built("hidden", (5,), Synapse(-1, "dense", even(5, 7, low=1)), fires=True)
    return {
        "conv": chain(conv, built("fc", (3,), Synapse(0, "dense", even(3, 48)), fires=False), shape=(2, 6, 6)),
        "grouped": chain(grouped, built("fc", (3,), Synapse(0, "dense", even(3, 144)), fires=False), shape=(2, 6, 6)),
        "many groups": wide(256),
        "fully convolutional": chain(grouped, convolutional, shape=(2, 6, 6)),
        "dense": chain(
            built("hidden", (5,), Synapse(-1, "dense", even(5, 7)), fires=True),
            built("fc", (3,), Synapse(0, "dense", even(3, 5)), fires=False),
            shape=(7,),
        ),
        "positive": chain(positive, built("fc", (1,), Synapse(0, "dense", even(1, 5, low=1)), fires=False), shape=(7,)),
        "images into dense": chain(
            built("hidden", (5,), Synapse(-1, "dense", even(5, 72)), fires=True),
            built("fc", (3,), Synapse(0, "dense", even(3, 5)), fires=False),
            shape=(2, 6, 6),
        ),
        "readout only": chain(built("fc", (3,), Synapse(-1, "dense", even(3, 7)), fires=False), shape=(7,)),
        "everything": sample(),
        "everything, depthwise": sample(groups=4),
    }


@pytest.mark.lava
@pytest.mark.parametrize("name", sorted(lava_programs()))
@pytest.mark.parametrize("options", [{}, {"reset_interval": 7}, {"reset_interval": 7, "reset_offset": 1}])
def test_stock_netx_opens_every_file(tmp_path: Path, name: str, options: dict[str, int]) -> None:
    from lava.lib.dl.netx.hdf5 import Network

    program = lava_programs()[name]
    save(program, tmp_path / "a.net")
    network = Network(net_config=str(tmp_path / "a.net"), **options)
    layers = [each for each in network.layers if hasattr(each, "neuron")]
    assert len(layers) == len(program.layers)
    for found, layer in zip(layers, program.layers, strict=True):
        # netx has the axes (x, y, channels).
        assert tuple(found.shape) == tuple(reversed(layer.shape))
        assert int(found.neuron.vth.init) == (layer.firing_level - 1 if layer.threshold else (1 << 17) - 1)
        # netx takes one off du, which Lava's fixed-point LIF adds again: no decay.
        assert (int(found.neuron.du.init), int(found.neuron.dv.init)) == (-1, 4096)
        assert (
            weights_of(found) == numbers(joined_groups(layer.synapses[0].weight, layer.synapses[0].groups)[0])
        ).all()
    interval = options.get("reset_interval")
    assert interval is None or all(found.neuron.proc_params["reset_interval"] == interval for found in layers)


def numbers(weight: np.ndarray) -> np.ndarray:
    """The weights in ascending order: netx turns kernels around and reorders features."""
    return np.sort(weight.astype(np.int64).ravel())


def weights_of(layer: object) -> np.ndarray:
    """The weights that Lava computes with: mantissa, scaled by the exponent that netx chose."""
    synapse = layer.synapse
    weight = (synapse.weight if hasattr(synapse, "weight") else synapse.weights).init
    exponent = int(synapse.proc_params._parameters.get("weight_exp", 0))
    return numbers(np.asarray(weight).astype(np.int64) * 2 ** max(exponent, 0) // 2 ** max(-exponent, 0))
