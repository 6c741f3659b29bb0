"""The manager of passes: what it checks, records and tells of."""

from __future__ import annotations

import numpy as np
import pytest
from support.progress import Heard
from torch import nn

from snnc.common.errors import PassError
from snnc.compiler.frontend import trace
from snnc.compiler.ir import Graph, Identity, Linear
from snnc.compiler.ir.passes import Counts, Pass, PassManager, PassResult, without
from snnc.compiler.lowering.fold import FoldBatchNorm, NormalizeInput
from snnc.compiler.lowering.simplify import DropIdentity, LowerPooling


class Breaks(Pass):
    title = "breaking its promise"
    ensures = (lambda graph: "that the impossible happens",)

    def run(self, graph: Graph) -> PassResult:
        return PassResult(graph, False)


class Demands(Pass):
    title = "asking too much"
    requires = (without(Linear),)

    def run(self, graph: Graph) -> PassResult:
        raise AssertionError("must not run")


def small_graph(*first: nn.Module) -> Graph:
    return trace(nn.Sequential(*first, nn.Linear(2, 2), nn.ReLU(), nn.Dropout(), nn.Linear(2, 2)).eval(), (2,))


def test_a_broken_promise_names_the_pass_and_those_before_it() -> None:
    with pytest.raises(PassError, match=r"Breaks ensures: that the impossible happens.*DropIdentity, FoldBatchNorm$"):
        PassManager([DropIdentity(), LowerPooling(), FoldBatchNorm(), Breaks()]).run(small_graph(nn.BatchNorm1d(2)))


def test_an_unmet_requirement_names_the_pass_and_its_node_and_does_not_run_it() -> None:
    with pytest.raises(
        PassError, match=r"Demands requires: no Linear is left, found module 0.*passes before: DropIdentity$"
    ):
        PassManager([DropIdentity(), Demands()]).run(small_graph())


def test_the_manager_keeps_stats_and_reports_progress_of_passes_that_find_something() -> None:
    heard = Heard()
    passes = [DropIdentity(), LowerPooling(), NormalizeInput(np.ones(2), np.zeros(2))]
    manager = PassManager(passes, heard)
    graph = manager.run(small_graph()).graph
    assert not graph.of_kind(Identity) or [node.op.kind for node in graph.of_kind(Identity)] == ["Output"]
    assert heard.begun == [("dropping what changes nothing", 1), ("normalising the input", 1)]
    assert [record.name for record in manager.records] == ["DropIdentity", "NormalizeInput"]
    assert manager.records[0].result.stats == {"dropped": 1}
    assert [record.result.modified for record in manager.records] == [True, True]


class Shrinks(Pass):
    """Takes one identity out at a time."""

    title = "taking one out"

    def run(self, graph: Graph) -> PassResult:
        graph = graph.copy()
        found = [node for node in graph.of_kind(Identity) if node.name != graph.output.name]
        if found:
            graph.remove(found[0].name)
        return PassResult(graph, bool(found), Counts({"left": max(0, len(found) - 1)}))


def test_a_manager_is_a_pass_that_nests() -> None:
    graph = trace(nn.Sequential(nn.Linear(2, 2), *(nn.Identity() for _ in range(5)), nn.ReLU(), nn.Linear(2, 2)), (2,))
    heard = Heard()
    nested = PassManager([Shrinks(), Shrinks(), Shrinks()])
    manager = PassManager([nested, NormalizeInput(np.ones(2), np.zeros(2))], heard)
    result = manager.run(graph)
    assert [record.name for record in result.outcome.records] == ["Shrinks"] * 3 + ["NormalizeInput"]
    assert [title for title, _ in heard.begun] == ["taking one out"] * 3 + ["normalising the input"]
    assert result.modified and len(result.graph) == len(graph) - 3 + 1
    # Two of the five are left: it is modified as long as one of its passes does something.
    modified = [(result := nested.run(result.graph)).modified for _ in range(2)]
    assert modified == [True, False]


def test_a_promise_broken_inside_a_nested_manager_names_the_pass() -> None:
    with pytest.raises(PassError, match=r"Breaks ensures: that the impossible happens.*passes before: DropIdentity$"):
        PassManager([DropIdentity(), PassManager([Breaks()])]).run(small_graph())
