"""The whole way from a module and calibration data to a sigma-delta program."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from torch import nn

from snnc.common.errors import TargetError
from snnc.common.progress import Progress, Unheard
from snnc.compiler.compilation import Compilation, count_macs, provenance_of
from snnc.compiler.conversion.choose_max_pooling import named_max_pooling
from snnc.compiler.front import front
from snnc.compiler.ir import Graph
from snnc.compiler.ir.passes import Counts, PassRecord, PassResult
from snnc.compiler.options import CompileOptions
from snnc.compiler.parallel import Processes
from snnc.compiler.quantization.sigma_delta.chain import ChainLayer, chain, check_traced
from snnc.compiler.quantization.sigma_delta.quantize import quantize
from snnc.compiler.quantization.sigma_delta.units import MARGIN
from snnc.program import InputCoding, Provenance, SigmaDeltaProgram
from snnc.program.messages import ACTIVATION_LIMIT, EXACT_LIMIT, STATE_BITS, STATE_LIMIT
from snnc.runtime.sigma_delta import SigmaDeltaSimulator


def measure(program: SigmaDeltaProgram, levels: NDArray[np.uint8]) -> tuple[SigmaDeltaProgram, tuple[float, ...]]:
    """Run the simulator: what is measured is what will run.

    Args:
        program: The program.
        levels: Calibration data as input levels.

    Returns:
        The program with measured ranges, and for each layer the share of its ranges that was used: 1 is where a value
        leaves them, or no longer fits the single precision of Lava's convolutions.
    """
    simulator = SigmaDeltaSimulator(program)
    simulator.run(levels)
    assert simulator.extremes is not None
    layers, shares = [], []
    for layer, found in zip(program.layers, simulator.extremes, strict=True):
        measured = replace(layer.membrane, measured=(found.low, found.high), samples=len(levels))
        layers.append(replace(layer, membrane=measured))
        highest = STATE_LIMIT if layer.delta_threshold is None else ACTIVATION_LIMIT
        sums = (max(-found.low, found.drive) / STATE_LIMIT, found.high / highest, found.size / EXACT_LIMIT)
        shares.append(max(sums))
    return replace(program, layers=tuple(layers)), tuple(shares)


# Each makes the units of what overflows coarser; one is enough but where a layer before changes too.
ATTEMPTS = 8
# Beyond the margin, for what rounding the coarser weights moves.
SPARE = 1.02
# What quantising is called in progress bars and reports.
_TITLE = "quantising to sigma-delta neurons"


def compile_sigma_delta(
    module: nn.Module | Graph,
    raw: NDArray[np.generic],
    options: CompileOptions,
    *,
    unit: float | None = None,
    progress: Progress = Unheard(),
    processes: Processes | None = None,
) -> Compilation[SigmaDeltaProgram]:
    """Compile a module to sigma-delta neurons; arguments as for :func:`snnc.compiler.pipeline.compile_module`.

    Raises:
        SnncError: Anything that the user can mend.
    """
    target = options.check()
    prepared = front(
        module,
        raw,
        target,
        lambda traced, coding, levels: named_max_pooling(traced, "avg"),
        mean=options.means,
        std=options.stds,
        unit=unit,
        is_chain=True,
        check=partial(check_traced, average_pooling=options.max_pool == "avg"),
        progress=progress,
        processes=processes,
    )
    traced, levels = prepared.traced, prepared.levels
    layers = chain(prepared.graph)
    pooled = (f"{each.where}: average pooling instead of maximum pooling" for each in prepared.pooling.chosen)
    notes = (*pooled, *(note for record in prepared.records for note in record.result.notes))
    provenance = provenance_of(
        traced,
        levels,
        options.recorded(),
        notes=notes,
        pooling=[each.recorded for each in prepared.pooling.chosen],
    )
    progress.begin(_TITLE)
    began = time.perf_counter()
    made, rounds = _fitted(layers, prepared.coding, options, levels, traced, target.name, provenance)
    seconds = time.perf_counter() - began
    record = PassRecord("QuantizeSigmaDelta", _TITLE, seconds, PassResult(traced, True, Counts({"rounds": rounds})))
    return Compilation(made, (*prepared.records, record)).placed(target, allow_oversize=options.allow_oversize)


def _fitted(
    layers: Sequence[ChainLayer],
    coding: InputCoding,
    options: CompileOptions,
    levels: NDArray[np.uint8],
    traced: Graph,
    target: str,
    provenance: Provenance,
) -> tuple[SigmaDeltaProgram, int]:
    """Quantise with the finest units for which the calibration data leave the margin in every layer.

    Returns:
        The program, and how often it was quantised.
    """
    coarser = np.ones(len(layers))
    for attempt in range(1, ATTEMPTS + 1):
        program = SigmaDeltaProgram(
            target=target,
            coding=coding,
            layers=quantize(layers, coding, options.delta_threshold, coarser.tolist()),
            ann=count_macs(traced),
            provenance=provenance,
        )
        program, shares = measure(program, levels)
        excess = np.array(shares[1:]) * MARGIN
        # What rounding adds to a layer that was to fill its range exactly is no reason to begin anew.
        if (excess <= SPARE).all():
            return program, attempt
        coarser = coarser * np.where(excess > SPARE, excess * SPARE, 1.0)
    worst = program.layers[1 + int(excess.argmax())]
    raise TargetError(
        f"its sums do not fit {STATE_BITS} bits on the calibration data",
        where=worst.where,
        advice="compile with --neuron if",
    )
