"""Which way of maximum pooling suits a network: tried on the calibration data."""

from __future__ import annotations

import hashlib
import math
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from snnc.common.errors import ModelError
from snnc.compiler.conversion.float_simulation import simulate
from snnc.compiler.conversion.float_simulation.network import samples_at_once
from snnc.compiler.conversion.profile import ProfileActivations
from snnc.compiler.ir import Graph, MaxPool2d, Node, Output, SpikingLayer, execute
from snnc.compiler.ir.passes import Pass, PassManager
from snnc.compiler.lowering.max_pooling import MAX_POOLINGS, MaxPooling, can_fire_together, last_node_moved
from snnc.compiler.lowering.spiking_layers import lowering
from snnc.compiler.search import Candidate, Judge, search
from snnc.program import InputCoding, Provenance
from snnc.program.provenance import PoolingChoice
from snnc.program.verdict import Score

# Calibration samples that each way is tried on.
SAMPLES = 32
# Values of a layer, over samples and steps, that are kept for further ways and poolings: 256 MiB.
KEPT_VALUES = 1 << 25


@dataclass(frozen=True)
class TriedPooling:
    """A way of maximum pooling that was tried.

    Attributes:
        way: The way.
        neurons: What it costs.
        error: Mean distance from the ANN's maximum, relative to its mean.
    """

    way: MaxPooling
    neurons: int
    error: float


@dataclass(frozen=True)
class ChosenPooling:
    """The way of one maximum pooling.

    Attributes:
        node: Name of the node in the traced network.
        where: What users know it by.
        way: The way.
        neurons: What it costs.
        tried: The ways that were tried; none where the options name one.
    """

    node: str
    where: str
    way: MaxPooling
    neurons: int
    tried: tuple[TriedPooling, ...] = ()

    @property
    def note(self) -> str:
        """What users are told."""
        if not self.tried:
            return f"{self.where}: maximum pooling by {self.way}, {self.neurons:,} neurons"
        tried = ", ".join(f"{each.way} {each.error:.1%} at {each.neurons:,} neurons" for each in self.tried)
        return f"{self.where}: maximum pooling by {self.way} (error on the calibration data: {tried})"

    @property
    def recorded(self) -> PoolingChoice:
        """What files keep of it."""
        errors = tuple(Score.of(each.way, each.error) for each in self.tried)
        return PoolingChoice(self.node, self.where, self.way, self.neurons, errors)


@dataclass(frozen=True)
class MaxPoolingChoices:
    """The way for each maximum pooling.

    Attributes:
        chosen: In the order of the network.
        in_integers: What the network loses of the ANN in integers, 0..1, with these ways and with the cheaper ones,
            where both were tried; with a word for each.
    """

    chosen: tuple[ChosenPooling, ...] = ()
    in_integers: Mapping[str, float] = field(default_factory=dict)

    def cheaper(self) -> MaxPoolingChoices | None:
        """Return the ways of the fewest neurons among those that were tried; None where these are."""
        least = [min(each.tried, key=lambda tried: tried.neurons) if each.tried else None for each in self.chosen]
        ways = [
            each if found is None else replace(each, way=found.way, neurons=found.neurons)
            for each, found in zip(self.chosen, least, strict=True)
        ]
        found = MaxPoolingChoices(tuple(ways))
        return None if found.ways == self.ways else found

    @property
    def ways(self) -> dict[str, MaxPooling]:
        """The way of each, by the name of its node."""
        return {each.node: each.way for each in self.chosen}

    @property
    def notes(self) -> tuple[str, ...]:
        """What users are told, one sentence for each."""
        notes = tuple(each.note for each in self.chosen)
        if not self.in_integers:
            return notes
        tried = ", ".join(f"{name} {value:.1%}" for name, value in self.in_integers.items())
        return (*notes, f"maximum pooling was settled in integers (lost of the ANN's decisions and values: {tried})")


def named_max_pooling(graph: Graph, way: MaxPooling) -> MaxPoolingChoices:
    """Return one way for all maximum poolings of a traced network."""
    nodes = graph.of_kind(MaxPool2d)
    return MaxPoolingChoices(tuple(ChosenPooling(each.name, each.where, way, neurons(each, way)) for each in nodes))


def choose_max_pooling(
    graph: Graph,
    coding: InputCoding,
    levels: NDArray[np.uint8],
    thresholds: Pass,
    timesteps: int,
    lead: int = 0,
    judge: Judge | None = None,
) -> MaxPoolingChoices:
    """Take for each maximum pooling, from the input on, the way with the smaller error on the calibration data.

    The network up to the pooling, with the ways chosen so far, is given thresholds and simulated in floating point; the
    maximum as its spikes have it is held against the ANN's.

    Args:
        graph: The traced network.
        coding: How data become levels.
        levels: Calibration data, (samples, *input shape).
        thresholds: The pass that chooses thresholds.
        timesteps: T.
        lead: Steps that each layer integrates before it may fire.
        judge: Decides; of two ways that are as good, that of fewer neurons is taken.
    """
    judge = judge or Judge()
    levels = levels[:SAMPLES]
    ann = torch.as_tensor(coding.ann_input(levels)).double()
    chosen: list[ChosenPooling] = []
    beginning = _Beginning()
    for node in graph.of_kind(MaxPool2d):
        part = _up_to(graph, last_node_moved(graph, node))
        wanted = execute(part, ann)[part.output.name]

        def simulated(way: MaxPooling, node: Node = node, part: Graph = part) -> torch.Tensor:
            ways = {**MaxPoolingChoices(tuple(chosen)).ways, node.name: way}
            passes = (*lowering(coding, ways), ProfileActivations(levels), thresholds)
            spiking = PassManager(passes).run(part).graph
            return beginning.readout(spiking, torch.as_tensor(levels, dtype=torch.float64), timesteps, lead)

        candidates = [Candidate(way, partial(simulated, way)) for way in _ways(graph, node)]
        found = search(candidates, partial(judge.pooling, wanted=wanted))
        errors = [(way, found.scores[way]) for way in _ways(graph, node) if way in found.scores]
        tried = tuple(TriedPooling(way, neurons(node, way), error) for way, error in errors)
        taken = next(each for each in tried if each.way == found.name)
        chosen.append(ChosenPooling(node.name, node.where, taken.way, taken.neurons, tried))
    return MaxPoolingChoices(tuple(chosen))


class _Beginning:
    """What the layers before a pooling sent, which all ways of it and the poolings after it begin with.

    One layer is kept: the last one through which all of a network goes.
    """

    def __init__(self) -> None:
        self._key: tuple[str, int] | None = None
        self._sent: dict[str, torch.Tensor] = {}

    def readout(self, graph: Graph, batch: torch.Tensor, timesteps: int, lead: int) -> torch.Tensor:
        """Return the readout of a simulation that goes on from what is kept, where the network begins as that did."""
        (name,) = self._sent or ("",)
        known = self._sent if name in graph and self._key == _begins(graph, name, timesteps) else {}
        last = _last_in_line(graph)
        fits = last is not None and math.prod(last.shape) * timesteps * len(batch) <= KEPT_VALUES
        kept = [last.name] if last is not None and fits and last.name not in known else []
        run = simulate(graph, batch, timesteps, lead=lead, keep_sent=kept, sent=known)
        if kept:
            self._key, self._sent = _begins(graph, kept[0], timesteps), dict(run.sent)
        return run.readout


def _begins(graph: Graph, name: str, timesteps: int) -> tuple[str, int]:
    """Return what decides, to the last bit, what a layer sends: all up to it, and how many samples run at once."""
    digest = hashlib.sha256()
    for node in _up_to(graph, graph[name]):
        op = replace(node.op, profile=None) if isinstance(node.op, SpikingLayer) else node.op
        digest.update(pickle.dumps((node.name, op, node.inputs)))
    return digest.hexdigest(), samples_at_once(graph, timesteps)


def _last_in_line(graph: Graph) -> Node | None:
    """Return the last spiking layer that every path from input to output goes through; None where there is none."""
    unread: dict[str, int] = {}
    found = None
    for node in graph:
        for source in {*node.inputs}:
            unread[source] -= 1
            if not unread[source]:
                del unread[source]
        if not unread and isinstance(node.op, SpikingLayer):
            found = node
        if readers := len(graph.consumers(node.name)):
            unread[node.name] = readers
    return found


def _ways(graph: Graph, node: Node) -> tuple[MaxPooling, ...]:
    """Return the ways that a maximum pooling can be written in, that of fewer neurons first."""
    return ("or", "exact") if can_fire_together(graph, node) else ("exact",)


def _up_to(graph: Graph, node: Node) -> Graph:
    """Return the part of a network that a node depends on, with that node as its output."""
    part = graph.copy()
    part.replace(part.output.name, Output(), (node.name,))
    part.remove_unread()
    return part


def neurons(node: Node, way: MaxPooling) -> int:
    """Return how many neurons a way of maximum pooling costs.

    Args:
        node: A ``MaxPool2d``.
        way: The way.
    """
    assert isinstance(node.op, MaxPool2d)
    each = {"or": 1, "exact": math.prod(node.op.kernel) - 1, "avg": 0}[way]
    return each * math.prod(node.shape)


def ways_taken(graph: Graph, provenance: Provenance) -> dict[str, MaxPooling]:
    """Return the way in which each maximum pooling of a traced network was written, by the name of its node.

    Args:
        graph: The traced network.
        provenance: Of a program that was made of it. Older files say where a pooling is, but not which node it was.

    Raises:
        ModelError: The file says nothing of one of them.
    """
    recorded = provenance.pooling or ()
    by_node = {each.node: each.way for each in recorded if each.node}
    by_place = {each.where: each.way for each in recorded}
    ways: dict[str, MaxPooling] = {}
    for node in graph.of_kind(MaxPool2d):
        way = by_node.get(node.name) or by_place.get(node.where)
        if way not in MAX_POOLINGS:
            raise ModelError(
                "is not the network that the .net file was compiled from",
                where="model (--model)",
                expected="no maximum pooling that the file does not know",
                found=node.where,
            )
        ways[node.name] = way
    return ways
