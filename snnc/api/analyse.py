"""The Python interface: a spiking network beside the ANN that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch import nn

from snnc.analysis.conversion import Report, SigmaDeltaReport, measure_report
from snnc.analysis.diagnosis import Diagnosis, diagnose_program
from snnc.analysis.validation import Validation, validate_program
from snnc.api.neurons import spiking
from snnc.common.devices import chosen_device
from snnc.inputs.data import Data, as_module, as_program, evaluation_data, report_data
from snnc.program import CompiledNetwork
from snnc.reporting.page.page import write_report
from snnc.reporting.page.reproduce import Sources

REPORT_SAMPLES = 256


def validate(
    program: CompiledNetwork | str | Path,
    model: nn.Module | str | Path,
    data: Data,
    *,
    samples: int | None = None,
    lava: bool | None = None,
    lava_samples: int = 10,
    lava_models: str | None = None,
    workers: int | None = None,
    cluster: str | None = None,
    lava_timeout: float | None = None,
    device: str = "cpu",
    memory: int | None = None,
    arch: str | None = None,
    trust: bool = False,
    advance: Callable[[str, int, int], None] | None = None,
    announce: Callable[[float], None] | None = None,
) -> Validation:
    """Compares the ANN with the simulator, layer by layer, and the simulator with Lava, spike by spike.

    Args:
        program: The program, or its .net file.
        model: The network that it was compiled from, or its file.
        data: As for :func:`run`.
        samples: Compare on the first so many; None: all.
        lava: Whether to run Lava too; None: if it is installed.
        lava_samples: How many samples Lava runs.
        lava_models: As for :func:`run`.
        workers: As for :func:`run`.
        cluster: As for :func:`run`.
        lava_timeout: As for :func:`run`.
        device: As for :func:`run`; the ANN runs on the CPU.
        memory: As for :func:`run`.
        arch: As for :func:`compile`.
        trust: As for :func:`compile`.
        advance: Told of the progress: what runs (``sim`` or ``lava``), samples done, samples in all.
        announce: As for :func:`run`.

    Returns:
        Layer by layer how near rates come to activations, accuracies, and whether sim and Lava agree;
        ``result.failures()`` says in words what is wrong.

    Raises:
        BackendError: ``lava`` is True and Lava is not installed.
        SnncError: Anything else that the user can mend.
    """
    return validate_program(
        as_program(program),
        as_module(model, arch=arch, trust=trust),
        evaluation_data(data, samples),
        lava=lava,
        lava_samples=lava_samples,
        lava_models=lava_models,
        workers=workers,
        cluster=cluster,
        lava_timeout=lava_timeout,
        device=chosen_device(device),
        memory=memory,
        advance=advance,
        announce=announce,
    )


def diagnose(
    program: CompiledNetwork | str | Path,
    model: nn.Module | str | Path,
    data: Data,
    *,
    samples: int | None = None,
    device: str = "cpu",
    memory: int | None = None,
    arch: str | None = None,
    trust: bool = False,
    advance: Callable[[int, int], None] | None = None,
) -> Diagnosis:
    """Says what a conversion loses, in which layers and why, and what to try.

    Args:
        program: The program, or its .net file.
        model: The network that it was compiled from, or its file.
        data: As for :func:`run`; with labels accuracies are looked at, else agreement with the ANN.
        samples: Look at the first so many; None: all.
        device: As for :func:`run`; the ANN runs on the CPU.
        memory: As for :func:`run`.
        arch: As for :func:`compile`.
        trust: As for :func:`compile`.
        advance: Told of the samples done, and of all.

    Returns:
        What is left of the accuracy at each step from the ANN to spikes, each layer's errors by cause, and findings in
        words, what spoils everything first.

    Raises:
        SnncError: Anything that the user can mend.
    """
    return diagnose_program(
        spiking(program, "diagnosis", "snnc validate shows the error of each of its layers"),
        as_module(model, arch=arch, trust=trust),
        evaluation_data(data, samples),
        device=chosen_device(device),
        memory=memory,
        advance=advance,
    )


def report(
    program: CompiledNetwork | str | Path,
    model: nn.Module | str | Path,
    data: Data,
    path: str | Path,
    *,
    samples: int = REPORT_SAMPLES,
    title: str | None = None,
    device: str = "cpu",
    memory: int | None = None,
    arch: str | None = None,
    trust: bool = False,
    advance: Callable[[str, int, int], None] | None = None,
) -> Report | SigmaDeltaReport:
    """Writes a page on a conversion: one HTML file that needs nothing else.

    On it: the network as a picture, accuracy after every pass of the compiler and against T, each layer's activations
    in the ANN against its rates, spikes, synaptic operations and energy of both, fit to the chip, and the commands that
    make it all again. Of a sigma-delta network each layer's sums of messages are beside the ANN's activations, with how
    far rounding can take them; it has no T.

    Args:
        program: The program, or its .net file.
        model: The network that it was compiled from, or its file.
        data: As for :func:`run`; without labels, agreement with the ANN is told in place of accuracies.
        path: The page; a file that exists is replaced.
        samples: How many samples to measure on, drawn in equal numbers for each class; at least 1.
        title: What the page is called; None: by the .net file, or by the model where that is no file.
        device: As for :func:`run`; the ANN runs on the CPU.
        memory: As for :func:`run`.
        arch: As for :func:`compile`.
        trust: As for :func:`compile`.
        advance: Told of the progress: what happens, how much of it is done, how much there is.

    Returns:
        What was measured: a ``SigmaDeltaReport`` of a network of such neurons, else a ``Report``.

    Raises:
        SnncError: Anything that the user can mend.
    """
    # Objects have no name that a command line could take.
    model_name, net_name, data_name = (
        str(each) if isinstance(each, str | Path) else name
        for each, name in ((model, "MODEL"), (program, "NET"), (data, "DATA"))
    )
    sources = Sources(model_name, net_name, data_name, architecture=arch, trust=trust, samples=samples)
    found = measure_report(
        as_program(program),
        as_module(model, arch=arch, trust=trust),
        report_data(data, samples),
        device=chosen_device(device),
        memory=memory,
        advance=advance,
    )
    write_report(path, found, sources, title=title or _page_title(program, model), advance=advance)
    return found


def _page_title(*named: CompiledNetwork | nn.Module | str | Path) -> str:
    """The name of the first that is a file, else the class of the last."""
    names = [Path(each).name for each in named if isinstance(each, str | Path)]
    return names[0] if names else type(named[-1]).__name__
