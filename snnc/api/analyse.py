"""A spiking network beside the ANN that it was made of: validation, diagnosis, reports."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from torch import nn

from snnc.analysis.conversion import Report, SigmaDeltaReport, measure_report
from snnc.analysis.diagnosis import Diagnosis, diagnose_program
from snnc.analysis.options import DiagnoseOptions, ReportOptions, ValidateOptions
from snnc.analysis.validation import Validation, validate_program
from snnc.common.atomic_write import check_not_replaced
from snnc.common.devices import chosen_device
from snnc.common.progress import Progress, Told, progress_of
from snnc.common.signatures import called_with
from snnc.inputs.data import Data, as_module, as_program, evaluation_data, model_and_program, report_data, spiking
from snnc.models.data.load import files_read
from snnc.program import CompiledNetwork
from snnc.reporting.page.page import write_report
from snnc.reporting.page.reproduce import Sources


@dataclass(frozen=True)
class _ValidateCall(ValidateOptions):
    model: nn.Module | str | Path
    program: CompiledNetwork | str | Path
    data: Data
    _: KW_ONLY
    options: ValidateOptions | None = None
    progress: Progress | Told | None = None


@called_with(_ValidateCall)
def validate(call: _ValidateCall) -> Validation:
    """Compare the ANN with the simulator, layer by layer, and the simulator with Lava, spike by spike.

    Args:
        model: The network that the program was compiled from, or its file. Where model and program are told apart by
            what they are, they may also come in the other order, which was that of earlier versions.
        program: The program, or its .net file.
        data: As for :func:`run`. The ANN runs on the CPU.
        options: All options at once; those that are given singly count more.
        progress: Told what is compared, how many samples are done, and how long Lava will take.

    Returns:
        Layer by layer how near rates come to activations, accuracies, and whether sim and Lava agree;
        ``result.failures()`` says in words what is wrong.

    Raises:
        BackendError: ``lava`` is True and Lava is not installed.
        SnncError: Anything else that the user can mend.
    """
    model, program = model_and_program(call.model, call.program)
    dataset = evaluation_data(call.data, call.samples)
    return validate_program(
        as_program(program),
        as_module(model, arch=call.arch, trust=call.trust),
        dataset,
        call,
        device=chosen_device(call.device),
        progress=progress_of(call.progress),
    )


@dataclass(frozen=True)
class _DiagnoseCall(DiagnoseOptions):
    model: nn.Module | str | Path
    program: CompiledNetwork | str | Path
    data: Data
    _: KW_ONLY
    options: DiagnoseOptions | None = None
    progress: Progress | Told | None = None


@called_with(_DiagnoseCall)
def diagnose(call: _DiagnoseCall) -> Diagnosis:
    """Say what a conversion loses, in which layers and why, and what to try.

    Args:
        model: As for :func:`validate`.
        program: As for :func:`validate`.
        data: As for :func:`run`; with labels accuracies are looked at, else agreement with the ANN. ``samples=None``
            takes all of them.
        options: All options at once; those that are given singly count more.
        progress: Told how many samples are done.

    Returns:
        What is left of the accuracy at each step from the ANN to spikes, each layer's errors by cause, and findings in
        words, what spoils everything first.

    Raises:
        SnncError: Anything that the user can mend.
    """
    model, program = model_and_program(call.model, call.program)
    return diagnose_program(
        spiking(program, "diagnosis", "snnc validate shows the error of each of its layers"),
        as_module(model, arch=call.arch, trust=call.trust),
        evaluation_data(call.data, call.samples),
        device=chosen_device(call.device),
        memory=call.memory,
        task=call.task,
        progress=progress_of(call.progress),
    )


@dataclass(frozen=True)
class _ReportCall(ReportOptions):
    model: nn.Module | str | Path
    program: CompiledNetwork | str | Path
    data: Data
    path: str | Path
    _: KW_ONLY
    options: ReportOptions | None = None
    progress: Progress | Told | None = None


@called_with(_ReportCall)
def report(call: _ReportCall) -> Report | SigmaDeltaReport:
    """Write a page on a conversion: one HTML file that needs nothing else.

    On it: the network as a picture, accuracy after every pass of the compiler and against T, each layer's activations
    in the ANN against its rates, spikes, synaptic operations and energy of both, fit to the chip, and the commands that
    make it all again. Of a sigma-delta network each layer's sums of messages are beside the ANN's activations, with how
    far rounding can take them; it has no T.

    Args:
        model: As for :func:`validate`.
        program: As for :func:`validate`.
        data: As for :func:`run`; without labels, agreement with the ANN is told in place of accuracies.
        path: The page; a file that exists is replaced, unless model, program or data are read from it.
        options: All options at once; those that are given singly count more.
        progress: Told what happens, how much of it is done, and how much there is.

    Returns:
        What was measured: a ``SigmaDeltaReport`` of a network of such neurons, else a ``Report``.

    Raises:
        SnncError: Anything that the user can mend.
    """
    model, program = model_and_program(call.model, call.program)
    check_not_replaced(Path(call.path), files_read(model, program, data=[call.data], code=call.arch))
    told = progress_of(call.progress)
    # Objects have no name that a command line could take.
    model_name, net_name, data_name = (
        str(each) if isinstance(each, str | Path) else name
        for each, name in ((model, "MODEL"), (program, "NET"), (call.data, "DATA"))
    )
    sources = Sources(
        model_name, net_name, data_name, architecture=call.arch, trust=call.trust, samples=call.report_samples
    )
    found = measure_report(
        as_program(program),
        as_module(model, arch=call.arch, trust=call.trust),
        report_data(call.data, call.report_samples),
        task=call.task,
        device=chosen_device(call.device),
        memory=call.memory,
        progress=told,
    )
    write_report(call.path, found, sources, title=call.title or _page_title(program, model), progress=told)
    return found


def _page_title(*named: CompiledNetwork | nn.Module | str | Path) -> str:
    """Return the name of the first that is a file, else the class of the last."""
    names = [Path(each).name for each in named if isinstance(each, str | Path)]
    return names[0] if names else type(named[-1]).__name__
