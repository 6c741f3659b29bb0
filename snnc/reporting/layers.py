"""What networks of all kinds of neurons are shown with, and what each kind has of its own: a :class:`View`.

:func:`snnc.reporting.program.view` finds the view of a program.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from snnc.common.arrays import FloatArray
from snnc.program import CompiledNetwork, Membrane, NeuronLayer, Synapse
from snnc.reporting import wording
from snnc.reporting.table import Column, Json, Table, column

# Smallest and largest value.
Span = tuple[int, int]
P = TypeVar("P", bound=CompiledNetwork)


@dataclass(frozen=True, eq=False)
class LayerRow:
    """A layer of a program, as a table has it.

    Attributes:
        program: The program.
        index: The layer's place in it.
        layer: The layer.
        synapses: Pairs of connected neurons.
    """

    program: CompiledNetwork
    index: int
    layer: NeuronLayer
    synapses: int


class View(ABC, Generic[P]):
    """How a program of one kind of neuron is shown.

    Args:
        program: The program.
    """

    def __init__(self, program: P) -> None:
        self.program = program

    @abstractmethod
    def layers(self, *, absolute: bool) -> Table[Any]:
        """Return a row for each layer: neurons, synapses, parameters of the neurons and the range of their state.

        Args:
            absolute: Give ranges in the units of the state, and not as shares of their limits.
        """

    @property
    @abstractmethod
    def page_legend(self) -> str:
        """What the figures of the layers mean, for the page."""

    @abstractmethod
    def box(self, index: int) -> list[str]:
        """Return what a picture says of a layer's neurons, a line each.

        Args:
            index: The layer's place in the program.
        """

    @abstractmethod
    def hands_on(self, index: int) -> bool:
        """Return whether a layer only hands on what it gets.

        Args:
            index: The layer's place in the program.
        """

    @property
    @abstractmethod
    def steps(self) -> str:
        """What the steps of a sample are, in a few words."""

    @property
    @abstractmethod
    def sent_by_each(self) -> str:
        """What a rate is given for: each neuron, or each neuron and step."""

    @property
    def energy_convention(self) -> str:
        """What is counted otherwise than of spikes, as a sentence; "" where nothing is."""
        return ""


def size_columns(*, small: bool = False) -> tuple[Column[LayerRow], ...]:
    """Return the columns that layers of all kinds have: name, modules, shape, neurons, synapses.

    Args:
        small: Whether the page shows the bits of the largest weight below the synapses.
    """
    bits = (lambda row: f"weights of {wording.weight_bits(row.layer)} bits") if small else None
    return (
        column(lambda row: row.layer.name, key="name"),
        column(
            lambda row: row.layer,
            wording.layer,
            title="layer",
            kind="name",
            small=lambda row: wording.modules(row.layer),
        ),
        column(lambda row: row.layer.modules, key="modules"),
        column(lambda row: row.layer.shape, wording.shape, key="shape", screen="neurons", page="shape", wrap=False),
        column(lambda row: row.layer.neurons, wording.count, key="neurons", page="neurons", kind="number"),
        column(lambda row: row.synapses, key="synapses"),
        column(
            lambda row: wording.synapses(row.program, row.index),
            title="synapses",
            write_on_page=wording.unbroken,
            width=8,
            small=bits,
        ),
        column(
            lambda row: [_connection(each, row.program.delay(row.index, each)) for each in row.layer.synapses],
            key="connections",
        ),
    )


# What the legend of a table says of it.
UNEXPLAINED = "lost: % of the variance of the ANN's values that a layer leaves unexplained"


def unexplained_column() -> Column[LayerRow]:
    """Return the column with what a layer leaves unexplained of the ANN's values, by the verdict; for programs alone.

    It has a dash where no value of the ANN corresponds to a layer, or nobody judged.
    """
    return column(_unexplained, wording.percent, screen="lost", page="unexplained, %", key="unexplained", kind="number")


def _unexplained(row: LayerRow) -> float | None:
    verdict = row.program.provenance.verdict
    found = () if verdict is None else verdict.layers
    return next((each.value for each in found if each.name == row.layer.name), None)


def membrane_json(membrane: Membrane) -> Json:
    """Return what JSON says of the range of a layer's state, whatever its neurons are."""
    measured = membrane.measured
    return {
        "proven": list(membrane.proven),
        "measured": None if measured is None else list(measured),
        "samples": membrane.samples,
    }


def scale_column() -> Column[LayerRow]:
    """Return the column with what one unit of what the layer sends stands for; for programs alone."""
    return column(lambda row: _ends(row.layer.scale), key="scale")


def _ends(values: FloatArray) -> Json:
    return {"minimum": float(values.min()), "maximum": float(values.max())}


def _connection(synapse: Synapse, delay: int) -> Json:
    found: Json = {
        "source": synapse.source,
        "kind": synapse.kind,
        "weight_shape": list(synapse.weight.shape),
        "weight_minimum": int(synapse.weight.min()) if synapse.weight.size else 0,
        "weight_maximum": int(synapse.weight.max()) if synapse.weight.size else 0,
        "exponent": synapse.exponent,
        "delay": delay,
    }
    if synapse.kind == "conv":
        found |= {
            "stride": list(synapse.stride),
            "padding": list(synapse.padding),
            "dilation": list(synapse.dilation),
            "groups": synapse.groups,
        }
    return found
