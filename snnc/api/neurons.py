"""What is for which neurons only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from snnc.common.errors import OptionError
from snnc.compiler.quantization.sigma_delta import SigmaDeltaOptions
from snnc.inputs.data import as_program
from snnc.program import CompiledNetwork, Program
from snnc.program.targets import INTEGRATE_AND_FIRE, SIGMA_DELTA


def sigma_delta_options(
    *,
    target: str,
    delta_threshold: int,
    max_pool: str,
    allow_oversize: bool,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    others: Mapping[str, tuple[object, object]],
) -> SigmaDeltaOptions:
    """The options of a compilation to sigma-delta neurons.

    Args:
        target: As for :func:`snnc.compile`, and so on.
        delta_threshold: Changes to hold back.
        max_pool: ``auto`` (maximum pooling is refused) or ``avg``.
        allow_oversize: Whether layers may be too large for a core.
        mean: What was subtracted from the data.
        std: What they were divided by.
        others: Options that shape spikes alone, by name: what was given, and what is there where nothing is.

    Raises:
        OptionError: One of the others was given, or maximum pooling is wanted in another way.
    """
    for name, (given, usual) in others.items():
        if given != usual:
            raise OptionError(
                "shapes spikes, which sigma-delta neurons do not send",
                where=f"{name} (--{name.replace('_', '-')})",
                expected=f"--neuron {INTEGRATE_AND_FIRE}",
                found=f"{_as_text(given)} with --neuron {SIGMA_DELTA}",
            )
    if max_pool not in ("auto", "avg"):
        raise OptionError(
            "sigma-delta neurons have no maximum pooling",
            where="max_pool (--max-pool)",
            expected="avg (average pooling instead)",
            found=repr(max_pool),
        )
    return SigmaDeltaOptions(target, delta_threshold, max_pool == "avg", allow_oversize, mean, std)


def check_delta_threshold(delta_threshold: int) -> None:
    """Makes sure that integrate-and-fire neurons are given no delta threshold.

    Raises:
        OptionError: They are.
    """
    if delta_threshold:
        raise OptionError(
            "is for sigma-delta neurons",
            where="delta_threshold (--delta-threshold)",
            expected=f"--neuron {SIGMA_DELTA}",
            found=f"{delta_threshold} with --neuron {INTEGRATE_AND_FIRE}",
        )


def spiking(program: CompiledNetwork | str | Path, command: str, advice: str) -> Program:
    """A program that spikes, for what looks at spikes.

    Args:
        program: The program, or its file.
        command: What it is for.
        advice: What to do with another.

    Raises:
        FormatError: The file cannot be read.
        OptionError: It is of sigma-delta neurons.
    """
    network = as_program(program)
    if not isinstance(network, Program):
        raise OptionError(
            f"{command} is for networks of integrate-and-fire neurons",
            where=str(program) if isinstance(program, str | Path) else "program",
            found=f"one of {network.wording.neurons}",
            advice=advice,
        )
    return network


def _as_text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
