"""A run as tables and as a JSON object: what each layer sent, energy, and what fewer steps give."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from snnc.inputs.tasks import Match, target_error
from snnc.program import CompiledNetwork
from snnc.reporting import wording
from snnc.reporting.program import timing_json
from snnc.reporting.table import Json, Table, column, plain
from snnc.runtime.energy import EnergyEstimate, OperationCounts, count_operations, estimate_energy
from snnc.runtime.result import RunResult

# Of more outputs than this a JSON object has none: it would be some megabytes; an .npz file has them all.
OUTPUTS_IN_JSON = 1 << 18


@dataclass(frozen=True)
class Sender:
    """What sends: the input or a layer.

    Attributes:
        name: Its name.
        title: Its name, with what is unusual about its neurons.
        neurons: How many there are.
        sent: What they sent, over all samples and steps; None for a readout, which sends nothing.
        slots: How much they could have sent.
        operations: Synaptic operations of its own synapses.
        has_synapses: Whether it has any.
        is_layer: Whether it counts among all layers.
    """

    name: str
    title: str
    neurons: int
    sent: int | None
    slots: int
    operations: int
    has_synapses: bool = True
    is_layer: bool = True

    @property
    def rate(self) -> float | None:
        """Share of what they could have sent, 0..1."""
        return None if self.sent is None else self.sent / self.slots


def run_table(program: CompiledNetwork, counts: OperationCounts) -> Table[Sender]:
    """Return a row for the input and for each layer: what was sent and synaptic operations.

    People see them for one sample on average, programs over all samples and steps. Neurons of a sigma-delta network
    send once in a sample at most, so that their rate is a share of neurons alone.

    Args:
        program: The program that ran.
        counts: What it did.
    """
    slots = counts.samples * program.sending_steps
    size = math.prod(program.coding.shape)
    spikes = (*counts.spikes, None)
    rate = f"{program.wording.rate} (input: with a value other than 0)"
    return sender_table(
        [
            Sender("", "input", size, counts.input_events, size * slots, 0, has_synapses=False, is_layer=False),
            *(
                Sender(layer.name, wording.layer(layer), layer.neurons, fired, layer.neurons * slots, operations)
                for layer, fired, operations in zip(program.layers, spikes, counts.synaptic, strict=True)
            ),
        ],
        counts.samples,
        sent=program.wording.sent,
        rate=rate,
    )


def sender_table(rows: Sequence[Sender], samples: int, *, sent: str, rate: str) -> Table[Sender]:
    """Return a row for each sender, with sums over the layers.

    Args:
        rows: The senders.
        samples: Samples that they ran.
        sent: What they send, in the plural.
        rate: What the rate is a share of.
    """

    def mean(value: float) -> str:
        return wording.whole(value / samples)

    layers = [row for row in rows if row.is_layer]
    operations = sum(row.operations for row in layers)
    return Table(
        (
            column(lambda row: row.name, key="name"),
            column(lambda row: row.title, title="layer", kind="name", total="all layers"),
            column(
                lambda row: row.neurons,
                wording.count,
                title="neurons",
                key="neurons",
                kind="number",
                total=sum(row.neurons for row in layers),
            ),
            column(
                lambda row: row.sent,
                mean,
                title=sent,
                key="spikes",
                kind="number",
                total=sum(row.sent or 0 for row in layers),
            ),
            column(lambda row: row.rate, lambda share: f"{wording.percent(share)} %", title="rate", kind="number"),
            column(lambda row: row.operations, key="synaptic_operations"),
            column(
                lambda row: row.operations if row.has_synapses else None,
                mean,
                title="synaptic operations",
                kind="number",
                missing="",
                total=operations,
            ),
        ),
        rows,
        legend=f"for one sample on average; rate: share of {rate}",
    )


def energy_table(estimates: Sequence[EnergyEstimate]) -> Table[EnergyEstimate]:
    """Return a row for each energy model: SNN, ANN and their ratio."""

    def ratio(each: EnergyEstimate) -> float | None:
        return each.ann / each.snn if each.ann is not None and each.snn else None

    return Table(
        (
            column(lambda each: each.model.name, title="energy per sample", key="model", kind="name"),
            column(lambda each: each.snn, wording.joules, title="SNN", key="snn_joules", kind="number"),
            column(lambda each: each.ann, wording.joules, title="ANN", key="ann_joules", kind="number"),
            column(ratio, "{:,.3g}".format, title="ANN / SNN", kind="number"),
            column(lambda each: each.model.source, key="source"),
        ),
        estimates,
        legend="energies are estimates from published figures, not measurements",
    )


@dataclass(frozen=True)
class Stopped:
    """A run that was stopped after some steps.

    Attributes:
        steps: How many.
        right: Share of samples with the right class, or with that after T steps, 0..1; of values the root mean square
            distance from the targets, or from those after T steps.
        counts: What it did until then.
    """

    steps: int
    right: float
    counts: OperationCounts


def earlier_table(program: CompiledNetwork, result: RunResult, match: Match) -> Table[Stopped]:
    """Return a row for each number of steps that was reported after, T the last: what a run of so many steps gives.

    Args:
        program: The program that ran.
        result: What it gave.
        match: The samples, as :func:`snnc.inputs.tasks.matched` gives them. Where neither labels nor targets are known,
            each is compared with the result after T steps.
    """
    runs = {**result.earlier, program.timesteps: result}
    labels, targets = match.dataset.labels, match.dataset.targets
    known = labels is not None or targets is not None
    if match.task == "values":
        wanted: NDArray[np.floating[Any]] = result.outputs(program) if targets is None else targets

        def right(steps: int, each: RunResult) -> float:
            error = target_error(outputs_after(program, each, steps), wanted)
            assert error is not None
            return error.rmse

        title, write = ("RMSE" if known else "RMSE from T"), wording.significant(4)
    else:
        answers = result.predictions if labels is None else labels

        def right(steps: int, each: RunResult) -> float:
            return each.accuracy(answers)

        title, write = ("accuracy" if known else "as after T"), wording.share
    return Table(
        (
            column(lambda row: row.steps, title="steps", kind="number"),
            column(lambda row: row.right, write, title=title, kind="number"),
            column(
                lambda row: sum(row.counts.spikes) / row.counts.samples, wording.whole, title="spikes", kind="number"
            ),
            column(
                lambda row: row.counts.synaptic_total / row.counts.samples,
                wording.whole,
                title="synaptic operations",
                kind="number",
            ),
        ),
        [Stopped(steps, right(steps, each), count_operations(program, each, steps)) for steps, each in runs.items()],
        legend="after so many steps of the same run, for one sample on average",
    )


def outputs_after(program: CompiledNetwork, result: RunResult, steps: int | None) -> NDArray[np.float64]:
    """Return the outputs of a run of fewer steps, in the network's own units.

    Args:
        program: The program that ran.
        result: What it gave.
        steps: After how many steps; None: T.
    """
    return result.outputs(program if steps is None else program.shortened(steps))


def outcome_sentence(program: CompiledNetwork, result: RunResult, match: Match) -> str:
    """Return what a run came to: accuracy, or of values the error; without labels and targets what it gave.

    Args:
        program: The program that ran.
        result: What it gave.
        match: The samples, as :func:`snnc.inputs.tasks.matched` gives them.
    """
    dataset = match.dataset
    if match.task == "values":
        outputs = result.outputs(program)
        span = f"outputs from {outputs.min():.4g} to {outputs.max():.4g}, mean {outputs.mean():.4g}"
        error = target_error(outputs, dataset.targets)
        return f"{span} (no targets to compare with)" if error is None else f"{error.sentence}; {span}"
    if dataset.labels is None:
        return wording.predictions_sentence(result.predictions, dataset.classes)
    accuracy = result.accuracy(dataset.labels)
    by = ", by the sign of the output" if match.task == "sign" else ""
    right = int((result.predictions == dataset.labels).sum())
    return f"accuracy {wording.share(accuracy)} ({right:,} of {result.samples:,}){by}"


def run_json(program: CompiledNetwork, result: RunResult, match: Match, steps: int | None = None) -> Json:
    """Return outputs, predictions, accuracy, spikes, operations and energy, and those of each earlier step.

    Args:
        program: The program that ran.
        result: What it gave.
        match: The samples, as :func:`snnc.inputs.tasks.matched` gives them.
        steps: After how many steps; None: T.
    """
    outputs, labels, decides = outputs_after(program, result, steps), match.dataset.labels, match.task != "values"
    error = target_error(outputs, match.dataset.targets)
    counts = count_operations(program, result, steps)
    # The first row is the input, which is no layer.
    _, *layers = run_table(program, counts).records()
    return {
        "samples": result.samples,
        **timing_json(program if steps is None else program.shortened(steps)),
        "task": match.task,
        "accuracy": None if labels is None else result.accuracy(labels),
        "correct": None if labels is None else int((result.predictions == labels).sum()),
        "predictions": result.predictions.tolist() if decides else None,
        "target_error": plain(error),
        "outputs": _digits(outputs) if outputs.size <= OUTPUTS_IN_JSON else None,
        "wraps": plain(result.wraps),
        "layers": layers,
        "per_sample": {
            "spikes": sum(counts.spikes) / counts.samples,
            "input_events": counts.input_events / counts.samples,
            "synaptic_operations": counts.synaptic_total / counts.samples,
            "ann_macs": sum(layer.macs for layer in program.ann),
        },
        "energy": energy_table(estimate_energy(program, counts)).records(),
        "earlier": [run_json(program, each, match, stop) for stop, each in result.earlier.items()],
    }


def _digits(outputs: NDArray[np.float64]) -> list[Any]:
    """Return outputs as lists, with as many digits as they are worth."""
    if outputs.ndim > 1:
        return [_digits(each) for each in outputs]
    return [float(f"{each:.6g}") for each in outputs]
