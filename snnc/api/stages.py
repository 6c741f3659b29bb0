"""The stages of a compilation one by one, each with a result from which several go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from snnc.compiler import pipeline
from snnc.compiler.front import Front
from snnc.compiler.frontend import trace as trace_module
from snnc.compiler.ir import Graph
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import Converted
from snnc.inputs.data import Data, as_module, calibration_data, raw_values, with_normalisation
from snnc.program import Program


def load_model(path: str | Path, *, arch: str | None = None, trust: bool = False) -> nn.Module:
    """Read a trained network from a file of any format that docs/models.md lists.

    Args:
        path: The file.
        arch: What makes the network, for a file that holds a state_dict, as for :func:`snnc.compile`.
        trust: Read the file even where that runs code that it names.

    Returns:
        The network.

    Raises:
        ModelError: The file cannot be read, or does not fit.
        UntrustedModelError: It would run code, and is not trusted.
    """
    return as_module(path, arch=arch, trust=trust)


def trace(model: nn.Module, shape: Sequence[int]) -> Graph:
    """Trace a network into a graph of operations.

    Args:
        model: The network.
        shape: Of one sample: (channels, height, width) or (features,).

    Returns:
        The graph, which :func:`profile` takes as well as the network.

    Raises:
        UnsupportedError: The network holds something that cannot be compiled; the message names it.
    """
    return trace_module(model, tuple(shape))


def profile(model: nn.Module | Graph, calibration: Data, options: CompileOptions) -> Front:
    """Lower a network to spiking layers, and profile their activations on calibration data.

    Args:
        model: The network, or its graph.
        calibration: As for :func:`snnc.compile`.
        options: As for :func:`snnc.compile`; for neurons that integrate and fire.

    Returns:
        What several conversions can begin from, with the same lead, way of maximum pooling and normalisation.

    Raises:
        SnncError: Anything that the user can mend.
    """
    if isinstance(model, nn.Module):
        options, _ = with_normalisation(options, model)
    dataset = calibration_data(calibration, options.calibration_samples, options.unit)
    unit = dataset.unit if dataset.images.dtype == np.uint8 else None
    return pipeline.profile(model, raw_values(dataset), options, unit=unit)


def convert(profiled: Front, options: CompileOptions) -> Converted:
    """Give each layer of a profiled network its thresholds and initial potentials.

    Args:
        profiled: What :func:`profile` gave.
        options: As for :func:`profile`; T and how thresholds are chosen may be others.

    Returns:
        What :func:`quantize` takes.

    Raises:
        SnncError: Anything that the user can mend.
    """
    return pipeline.convert(profiled, options)


def quantize(converted: Converted) -> Program:
    """Write a converted network in the chip's integers.

    Args:
        converted: What :func:`convert` gave.

    Returns:
        The program, as :func:`snnc.compile` gives it but for notes on what the calibration data do not cover, and for
        the verdict: nobody judged it (:func:`snnc.validate` does).

    Raises:
        SnncError: Anything that the user can mend.
    """
    return pipeline.quantise(converted).program
