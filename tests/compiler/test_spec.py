"""A graph that is not what its stage wants is named between passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from snnc.common.errors import PassError
from snnc.compiler.front import front
from snnc.compiler.ir import Graph, Identity, Input, Linear, Output, QuantizedLayer, Readout, ReLU, SpikingLayer
from snnc.compiler.ir.passes import Pass, PassManager, PassResult
from snnc.compiler.ir.spec import CONVERTED, LOWERED, PROFILED, QUANTIZED, STAGES, TRACED
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import convert, max_pooling
from snnc.compiler.quantization.quantize import Quantize
from snnc.program.targets import get_target


def stages() -> dict[str, Graph]:
    """A small network at each stage."""
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    raw = np.random.default_rng(0).integers(0, 256, (20, 3)).astype(np.uint8)
    options, target = CompileOptions(threshold="max", timesteps=4), get_target("loihi")
    made = front(network, raw, target, lambda *each: max_pooling(*each, options))
    converted = convert(made, options)
    quantized = Quantize(target, 4, made.coding, margin=2.0).run(converted.graph).graph
    lowered = next(each.result.graph for each in made.records if each.name == "FormSpikingLayers")
    graphs = (made.traced, lowered, made.graph, converted.graph, quantized)
    return {stage.name: graph for stage, graph in zip(STAGES, graphs, strict=True)}


GRAPHS = stages()


def first(graph: Graph) -> str:
    return graph.of_kind(SpikingLayer, QuantizedLayer)[0].name


def with_op(graph: Graph, **changes: object) -> None:
    name = first(graph)
    graph.replace(name, replace(graph[name].op, **changes))


def second_output(graph: Graph) -> None:
    graph.add("another", Output(), (graph.input.name,))


def read_output(graph: Graph) -> None:
    graph.add("late", Identity(), (graph.output.name,))


def without_readout(graph: Graph) -> None:
    (readout,) = graph.of_kind(Readout)
    graph.replace(readout.name, SpikingLayer(readout.op.synapses))


def with_narrow_profile(graph: Graph) -> None:
    profile = graph[first(graph)].op.profile
    with_op(graph, profile=replace(profile, drive_minimum=profile.drive_maximum + 1))


def with_another_source(graph: Graph) -> None:
    layer = graph[first(graph)].op.layer
    with_op(graph, layer=replace(layer, synapses=(replace(layer.synapses[0], source=1),)))


@pytest.mark.parametrize("stage", STAGES, ids=lambda each: each.name)
def test_a_network_is_valid_at_its_stage_and_at_no_later_one(stage: Callable[[Graph], str | None]) -> None:
    later = STAGES[STAGES.index(stage) + 1 :]
    assert stage(GRAPHS[stage.name]) is None
    assert all(each(GRAPHS[stage.name]) for each in later)


@pytest.mark.parametrize(
    ("stage", "damage", "words"),
    [
        (TRACED, lambda graph: graph.add("more", Input((3,))), "one Input, found 2"),
        (TRACED, second_output, "one Output, found 2"),
        (TRACED, read_output, "nothing reads the output, found late"),
        (TRACED, lambda graph: graph.add("alone", ReLU(), ("input", "input")), "ReLU reads one node, found alone"),
        (TRACED, lambda graph: graph.add("x", SpikingLayer((Linear(np.eye(3), np.ones(3)),)), ("input",)), "x"),
        (LOWERED, without_readout, "one readout, found 0"),
        (LOWERED, lambda graph: graph.add("x", ReLU(), ("input",)), "no ReLU is left, found x"),
        (PROFILED, lambda graph: with_op(graph, profile=None), "every layer is profiled, not modules 0"),
        (PROFILED, with_narrow_profile, "drives have a range for each channel, not in module"),
        (CONVERTED, lambda graph: with_op(graph, threshold=None), "every layer has a threshold, not modules 0"),
        (CONVERTED, lambda graph: with_op(graph, threshold=np.ones(3)), "a threshold for each channel"),
        (CONVERTED, lambda graph: with_op(graph, threshold=-np.ones(4)), "Vth > 0, not so in module"),
        (QUANTIZED, with_another_source, r"read the layers \[-1\], found \[1\] in module"),
    ],
)
def test_what_breaks_a_spec_is_named_with_its_stage(
    stage: Callable[[Graph], str | None], damage: Callable[[Graph], object], words: str
) -> None:
    class Damages(Pass):
        title = "damaging the graph"
        ensures = (stage,)

        def run(self, graph: Graph) -> PassResult:
            graph = graph.copy()
            damage(graph)
            return PassResult(graph, True)

    with pytest.raises(PassError, match=rf"Damages ensures: in a {stage.name} graph .*{words}"):
        PassManager([Damages()]).run(GRAPHS[stage.name])
