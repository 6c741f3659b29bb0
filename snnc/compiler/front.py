"""What all ways through the compiler begin with: a model and data in, a network with profiled layers out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from snnc.common.arrays import per_channel
from snnc.common.memory import check_memory
from snnc.common.progress import Progress, Unheard
from snnc.compiler.conversion.choose_max_pooling import MaxPoolingChoices
from snnc.compiler.conversion.profile import ProfileActivations
from snnc.compiler.conversion.solver.sketch import PER_OCTAVE
from snnc.compiler.frontend import choose_coding, trace
from snnc.compiler.ir import Graph, Readout, Sparse, SpikingLayer
from snnc.compiler.ir.passes import PassManager, PassRecord
from snnc.compiler.lowering.spiking_layers import AlignPaths, lowering
from snnc.compiler.parallel import Processes
from snnc.compiler.quantization.input_moments import readings_size
from snnc.program import InputCoding
from snnc.program.coding import LEVELS
from snnc.program.targets import Target

# The way of each maximum pooling of a traced network, given the coding of the input and calibration levels.
ChooseWays = Callable[[Graph, InputCoding, NDArray[np.uint8]], MaxPoolingChoices]


@dataclass(frozen=True, eq=False)
class Front:
    """A network that is ready to be converted, and what it was made of; several conversions can begin from one.

    Attributes:
        traced: The network as it was traced.
        coding: How data become the first layer's input.
        levels: Calibration data as input levels, (samples, *input shape).
        pooling: How each maximum pooling is written.
        graph: Spiking layers with aligned paths and profiles; it takes levels.
        records: What each pass did.
    """

    traced: Graph
    coding: InputCoding
    levels: NDArray[np.uint8]
    pooling: MaxPoolingChoices
    graph: Graph
    records: tuple[PassRecord, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What users should know, one sentence each."""
        return (*self.pooling.notes, *(note for record in self.records for note in record.result.notes))


def front(
    network: nn.Module | Graph,
    raw: NDArray[np.generic],
    target: Target,
    ways: ChooseWays,
    *,
    mean: tuple[float, ...] = (0.0,),
    std: tuple[float, ...] = (1.0,),
    unit: float | None = None,
    lead: int = 0,
    is_chain: bool = False,
    check: Callable[[Graph], None] | None = None,
    progress: Progress = Unheard(),
    processes: Processes | None = None,
) -> Front:
    """Trace a network, lower it to spiking layers, align their paths and profile them.

    Args:
        network: The trained network, or its traced graph.
        raw: Calibration data in raw values, (samples, channels, height, width) or (samples, features); finite.
        target: The chip.
        ways: Chooses how each maximum pooling is written.
        mean: Subtracted from raw data before the ANN saw them; one number, or one for each channel.
        std: Divided by after that.
        unit: Value of one step of the raw values where they are known to be multiples of it from 0 on.
        lead: Steps that each layer integrates before it may fire.
        is_chain: Whether what levels are short of is no bias of the first layer, but comes with the input: sigma-delta
            neurons have a channel of constants for it.
        check: Looks at the traced network first.
        progress: Told of each pass as it begins, and how many calibration samples were profiled.
        processes: Those that share the profiling.

    Raises:
        SnncError: Anything that the user can mend.
    """
    coding = choose_coding(raw, "graded" if target.carries(LEVELS - 1) else "rate", unit=unit, mean=mean, std=std)
    levels = coding.levels(raw)
    traced = network if isinstance(network, Graph) else trace(network, coding.shape)
    if check:
        check(traced)
    pooling = ways(traced, coding, levels)
    exact = PassManager(
        [
            *lowering(without_shift(coding) if is_chain else coding, pooling.ways),
            AlignPaths(target.maximum_delay, lead),
        ],
        progress,
    )
    lowered = exact.run(traced).graph
    check_memory(
        foreseen_memory(lowered, len(levels)),
        "compiling this network",
        "compile it where there is more memory, or for smaller images",
    )
    profiled = PassManager(
        [ProfileActivations(with_shift(levels, coding) if is_chain else levels, progress, processes)], progress
    )
    graph = profiled.run(lowered).graph
    return Front(traced, coding, levels, pooling, graph, (*exact.records, *profiled.records))


# Bytes for each weight at least: a copy before and after lowering, its digits in exact sums, its integers. Of a
# DenseNet121 at 64 x 64, which lowering makes 74 million weights of, 27 were measured.
_WEIGHT = 24
# Bytes of a channel's sketch of activations, which cover some 25 octaves.
_SKETCH = 4 * 25 * PER_OCTAVE


def foreseen_memory(graph: Graph, samples: int) -> int:
    """Return the bytes that compiling a network takes at least, before it is begun.

    Args:
        graph: The network, lowered to spiking layers.
        samples: Number of calibration samples.
    """
    layers = graph.of_kind(SpikingLayer, Readout)
    weights = sum(
        synapse.matrix.nnz if isinstance(synapse, Sparse) else synapse.weight.size
        for node in layers
        if isinstance(node.op, SpikingLayer | Readout)
        for synapse in node.op.synapses
    )
    channels = sum(node.shape[0] for node in layers)
    return _WEIGHT * weights + _SKETCH * channels + readings_size(graph, samples)


def with_shift(levels: NDArray[np.uint8], coding: InputCoding) -> NDArray[np.float32]:
    """Return levels, (samples, *input shape), with what they are short of what the ANN sees, in levels."""
    short = per_channel(coding.shift / coding.scale, len(coding.shape))
    shifted: NDArray[np.float32] = (levels + short).astype(np.float32)
    return shifted


def without_shift(coding: InputCoding) -> InputCoding:
    """Return the coding of a network that takes what :func:`with_shift` gives."""
    return replace(coding, shift=np.zeros_like(coding.shift))
