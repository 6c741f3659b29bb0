"""Synapses that netx knows nothing of: those that pass it by, as Sparse and DelaySparse processes."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from snnc.common.errors import BackendError
from snnc.program import Program, Synapse
from snnc.program.net.chain import VOLTAGE_DECAY, current_decay, fired_above
from snnc.program.targets import get_target
from snnc.runtime.lava.parts import Parts
from snnc.runtime.lava.population import Population, Process, arranged_matrix
from snnc.runtime.lava.schedule import Schedule


def neuron_block(program: Program, index: int, schedule: Schedule, parts: Parts) -> Population:
    """Return the same neurons as netx makes of a layer, in the order of the layer, with one axis.

    Args:
        program: The program.
        index: The layer's place in it.
        schedule: The schedule.
        parts: Where processes come from.
    """
    layer = program.layers[index]
    options = {
        "shape": (layer.neurons,),
        "vth": fired_above(layer, get_target(program.target)),
        # Lava's fixed-point LIF adds one.
        "du": current_decay(layer) - 1,
        "dv": VOLTAGE_DECAY,
    }
    if layer.memoryless:
        process = parts.lif(**options)
    else:
        process = parts.lif_reset(
            **options, reset_interval=schedule.interval, reset_offset=schedule.reset_offset(program.depths[index])
        )
    return Population(process, (layer.neurons,), np.arange(layer.neurons))


def check_delays(program: Program) -> None:
    """Raise BackendError where a synapse would have to hold spikes back longer than the target can."""
    largest = get_target(program.target).maximum_delay
    for index, layer in enumerate(program.layers):
        for synapse in layer.synapses:
            if (delay := program.delay(index, synapse)) > largest:
                source = "the input" if synapse.source < 0 else program.layers[synapse.source].where
                raise BackendError(
                    f"spikes of {source} would have to wait too long for those that take the longest path",
                    where=layer.where,
                    expected=f"at most {largest} steps",
                    found=f"{delay} steps",
                    advice="compile the network again: the compiler puts relays between layers so far apart",
                )


def attach_synapse(
    parts: Parts,
    synapse: Synapse,
    source_shape: tuple[int, ...],
    *,
    source: Population,
    target: Population,
    delay: int,
    message_bits: int,
) -> Process:
    """Connect two populations; where the spikes have to wait, by a DelaySparse, else by a Sparse.

    Args:
        parts: Where processes come from.
        synapse: The connections.
        source_shape: Shape of what they read.
        source: The population that sends.
        target: The population that receives.
        delay: Steps that spikes wait.
        message_bits: Bits of the numbers that the source sends; 0 where it sends spikes.

    Returns:
        The process; the caller keeps it, since Lava does not.
    """
    return attach_matrix(
        parts,
        arranged_matrix(synapse.matrix(source_shape), target, source),
        synapse.exponent,
        source.flat_spikes(),
        target,
        delay=delay,
        # Lava would guess from the weights, and where all have one sign it takes and drops other bits of them.
        sign_mode="MIXED",
        num_message_bits=message_bits,
    )


def attach_matrix(
    parts: Parts,
    weights: csr_matrix,
    exponent: int,
    spikes: Process,
    target: Population,
    *,
    delay: int = 0,
    **options: object,
) -> Process:
    """Connect a port to a population.

    Args:
        parts: Where processes come from.
        weights: (neurons, size of the port), in Lava's order.
        exponent: What the weights are shifted by.
        spikes: The port that sends, of one axis.
        target: The population that receives.
        delay: Steps that spikes wait.
        **options: More for Lava's process.

    Returns:
        The process; the caller keeps it, since Lava does not.
    """
    weights = weights.astype(np.int32)
    if delay:
        delays = csr_matrix((np.full(weights.nnz, delay, int), weights.indices, weights.indptr), weights.shape)
        process = parts.delay_sparse(weights=weights, delays=delays, max_delay=delay, weight_exp=exponent, **options)
    else:
        process = parts.sparse(weights=weights, weight_exp=exponent, **options)
    spikes.connect(process.s_in)
    target.receive(process.a_out)
    return process
