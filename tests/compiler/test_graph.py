"""The graph: shapes are always right, order is always the same, copies are copies."""

from __future__ import annotations

import sys

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnc.common.errors import UnsupportedError
from snnc.compiler.ir import (
    Add,
    Affine,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Flatten,
    Graph,
    Identity,
    Input,
    Linear,
    MaxPool2d,
    Operation,
    Output,
    ReLU,
    Softmax,
    SpikingLayer,
    execute,
)

RNG = np.random.default_rng(0)


def conv(inputs: int, outputs: int, kernel: int = 3, **options: object) -> Conv2d:
    return Conv2d(RNG.normal(size=(outputs, inputs, kernel, kernel)), RNG.normal(size=outputs), **options)


def linear(inputs: int, outputs: int) -> Linear:
    return Linear(RNG.normal(size=(outputs, inputs)), RNG.normal(size=outputs))


def chain(*ops: Operation, shape: tuple[int, ...] = (2, 6, 6)) -> Graph:
    graph = Graph()
    last = graph.add("input", Input(shape)).name
    for index, op in enumerate(ops):
        last = graph.add(f"n{index}", op, (last,), modules=(f"m{index}",)).name
    graph.add("output", Output(), (last,))
    return graph


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph]


def test_shapes_follow_the_operations() -> None:
    graph = chain(conv(2, 4), ReLU(), AvgPool2d((2, 2), (2, 2)), Flatten(), linear(16, 3), Softmax(False))
    assert [node.shape for node in graph] == [(2, 6, 6), (4, 4, 4), (4, 4, 4), (4, 2, 2), (16,), (3,), (3,), (3,)]
    assert (graph.input.name, graph.output.name, len(graph)) == ("input", "output", 8)


@given(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(1, 3), st.data())
def test_declared_shapes_are_those_of_torch(
    size: int, kernel: int, stride: int, padding: int, dilation: int, data
) -> None:
    groups = data.draw(st.sampled_from([1, 2]))
    op = Conv2d(np.ones((4, 2 // groups, kernel, 1)), np.zeros(4), (stride, 1), (padding, 0), (dilation, 1), groups)
    try:
        expected = torch.nn.functional.conv2d(
            torch.zeros(1, 2, size, 3),
            torch.ones(4, 2 // groups, kernel, 1),
            None,
            (stride, 1),
            (padding, 0),
            (dilation, 1),
            groups,
        )
    except RuntimeError:
        with pytest.raises(ValueError, match="at least"):
            op.output_shape((2, size, 3))
    else:
        assert op.output_shape((2, size, 3)) == tuple(expected.shape[1:])


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (conv(3, 4), (2, 6, 6)),
        (conv(2, 4), (2, 6)),
        (conv(2, 4, 9), (2, 6, 6)),
        (linear(5, 2), (2, 6, 6)),
        (Affine(np.ones(3), np.ones(3)), (2, 6, 6)),
        (BatchNorm(*np.ones((4, 3)), 1e-5), (2, 6, 6)),
        (AvgPool2d((7, 1), (1, 1)), (2, 6, 6)),
        (AvgPool2d((1, 1), (1, 1)), (2,)),
        (SpikingLayer((conv(2, 4), conv(2, 5))), (2, 6, 6)),
    ],
)
def test_an_operation_that_does_not_fit_its_input_is_refused_by_name(op: Operation, shape: tuple[int, ...]) -> None:
    graph = Graph()
    graph.add("input", Input(shape))
    inputs = ("input",) * (2 if isinstance(op, SpikingLayer) else 1)
    with pytest.raises(UnsupportedError, match=f"^module features.1: {op.kind} does not fit"):
        graph.add("node", op, inputs, modules=("features.1",))


def test_a_copy_is_independent() -> None:
    graph = chain(conv(2, 4), ReLU(), Identity(), Flatten(), linear(64, 3))
    before = [(node.name, node.op, node.inputs, node.modules, node.shape) for node in graph]
    other = graph.copy()
    other.remove("n2")
    other.replace("n0", conv(2, 4), absorbed=("more",))
    other.insert_after("input", "new", Identity())
    other.rename("n1", "renamed")
    other.add("late", Identity(), ("output",))
    assert [(node.name, node.op, node.inputs, node.modules, node.shape) for node in graph] == before


def test_replacing_infers_everything_behind_it_anew() -> None:
    graph = chain(conv(2, 4), ReLU(), Flatten())
    graph.replace("n0", conv(2, 5, 1))
    assert [node.shape for node in graph][1:] == [(5, 6, 6), (5, 6, 6), (180,), (180,)]
    with pytest.raises(UnsupportedError, match="m0"):
        graph.copy().replace("n0", conv(3, 4))


def test_replacing_refuses_what_no_longer_fits_behind_it_by_name() -> None:
    graph = chain(conv(2, 4), Flatten(), linear(64, 3))
    with pytest.raises(UnsupportedError, match=r"^module m2: Linear does not fit"):
        graph.replace("n0", conv(2, 5))


def test_absorbed_modules_come_first_and_once() -> None:
    graph = chain(conv(2, 4), ReLU())
    assert graph.replace("n1", ReLU(), absorbed=("m0", "m1")).modules == ("m0", "m1")
    assert graph["n1"].where == "modules m0 + m1"
    assert graph["output"].where == "output"


def test_removing_connects_both_sides() -> None:
    graph = chain(Identity(), conv(2, 4))
    graph.remove("n0")
    assert names(graph) == ["input", "n1", "output"] and graph["n1"].inputs == ("input",)


def test_removing_what_several_read_connects_all() -> None:
    graph = Graph()
    graph.add("input", Input((2, 6, 6)))
    graph.add("skip", Identity(), ("input",))
    graph.add("sum", SpikingLayer((conv(2, 4), conv(2, 4))), ("skip", "skip"))
    graph.add("output", Output(), ("sum",))
    graph.remove("skip")
    assert graph["sum"].inputs == ("input", "input")


def test_inserting_puts_a_node_before_all_readers() -> None:
    graph = Graph()
    graph.add("input", Input((2, 6, 6)))
    graph.add("a", conv(2, 4), ("input",))
    graph.add("sum", SpikingLayer((conv(2, 4), conv(4, 4, 1))), ("input", "a"))
    graph.add("output", Output(), ("sum",))
    graph.insert_after("input", "new", Identity())
    assert graph["a"].inputs == ("new",) and graph["sum"].inputs == ("new", "a") and graph["new"].inputs == ("input",)


def test_inputs_keep_their_positions() -> None:
    graph = Graph()
    graph.add("input", Input((2, 6, 6)))
    graph.add("a", conv(2, 3), ("input",))
    graph.add("sum", SpikingLayer((conv(3, 4, 1), conv(2, 4), conv(3, 4, 1))), ("a", "input", "a"))
    assert graph["sum"].inputs == ("a", "input", "a")
    assert graph.copy()["sum"].inputs == ("a", "input", "a")


def joined() -> Graph:
    graph = Graph()
    graph.add("input", Input((2, 6, 6)))
    graph.add("same", Identity(), ("input",))
    graph.add("twice", Add(), ("same", "same"))
    graph.add("pool", MaxPool2d((3, 3), (1, 1), (1, 1)), ("input",))
    graph.add("cat", Concat(), ("twice", "pool", "twice"))
    graph.add("output", Output(), ("cat",))
    return graph


def test_a_value_may_be_read_twice_by_one_node() -> None:
    graph = joined()
    assert graph["twice"].inputs == ("same", "same") and graph["cat"].shape == (6, 6, 6)
    assert [node.name for node in graph.consumers("twice")] == ["cat"]
    batch = torch.randn(2, 2, 6, 6, dtype=torch.float64)
    pooled = torch.nn.functional.max_pool2d(batch, 3, 1, 1)
    values = execute(graph, batch, keep=["twice"])
    assert torch.equal(values["output"], torch.cat([2 * batch, pooled, 2 * batch], 1))
    assert torch.equal(values["twice"], 2 * batch)


def test_what_is_read_twice_can_be_removed_renamed_and_put_behind_another() -> None:
    graph = joined()
    graph.insert_after("twice", "new", ReLU())
    graph.rename("twice", "sum")
    graph.remove("same")
    graph.replace("cat", Concat(), ("new", "new", "pool"))
    assert graph["cat"].inputs == ("new", "new", "pool") and graph["sum"].inputs == ("input", "input")
    graph.remove("new")
    assert graph["cat"].inputs == ("sum", "sum", "pool")


@pytest.mark.parametrize(("op", "found"), [(Add(), "one shape"), (Concat(), "differ in channels only")])
def test_joins_of_shapes_that_do_not_fit_are_refused_by_name(op: Operation, found: str) -> None:
    graph = joined()
    graph.add("small", AvgPool2d((2, 2), (2, 2)), ("input",))
    with pytest.raises(UnsupportedError, match=rf"^module block: {op.kind} does not fit its input: expected .*{found}"):
        graph.add("join", op, ("input", "small"), modules=("block",))


def test_a_cycle_is_refused() -> None:
    graph = chain(Identity(), Identity())
    with pytest.raises(UnsupportedError, match="cycle"):
        graph.replace("n0", Identity(), ("n1",))


def test_what_the_output_does_not_need_is_removed() -> None:
    graph = chain(Identity(), ReLU())
    graph.add("dead", ReLU(), ("n0",))
    graph.add("deader", ReLU(), ("dead",))
    graph.remove_unread()
    assert names(graph) == ["input", "n0", "n1", "output"]


def test_a_name_is_given_once() -> None:
    graph = chain(Identity())
    with pytest.raises(AssertionError, match="taken"):
        graph.add("n0", ReLU(), ("input",))
    assert [graph.free_name(each) for each in ("n0", "n1")] == ["n0:1", "n1"]


@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_iteration_is_topological_and_the_same_every_time(size: int, random) -> None:
    def build() -> Graph:
        graph = Graph()
        graph.add("input", Input((2,)))
        known = ["input"]
        for index in range(size):
            sources = tuple(choices[index])
            op = SpikingLayer(tuple(Linear(np.eye(2), np.zeros(2)) for _ in sources))
            known.append(graph.add(f"n{index}", op, sources).name)
        graph.add("output", Output(), (known[-1],))
        return graph

    choices = [
        random.choices(["input", *(f"n{each}" for each in range(index))], k=random.randint(1, 3))
        for index in range(size)
    ]
    graph = build()
    order = names(graph)
    assert order == names(build()) == names(graph.copy())
    assert all(order.index(source) < order.index(node.name) for node in graph for source in node.inputs)
    assert all(graph[f"n{index}"].inputs == tuple(each) for index, each in enumerate(choices))


def test_looking_through_flattens_finds_the_value() -> None:
    graph = chain(ReLU(), Flatten(), Flatten(), linear(72, 2))
    assert graph.value_read_by(graph["n3"]).name == "n0"


def test_the_networkx_graph_is_a_copy() -> None:
    graph = chain(ReLU())
    plain = graph.networkx
    assert isinstance(plain, nx.DiGraph) and set(plain) == {"input", "n0", "output"}
    plain.remove_node("n0")
    assert "n0" in graph


def test_execution_keeps_what_is_asked_for_and_takes_any_precision() -> None:
    graph = chain(conv(2, 3), ReLU(), Flatten())
    batch = torch.randn(4, 2, 6, 6, dtype=torch.float64)
    values = execute(graph, batch, keep=["n0", "input"])
    assert set(values) == {"n0", "input", "output"}
    assert (values["n0"] < 0).any(), "a later ReLU must not change what was kept"
    assert torch.equal(values["output"], values["n0"].relu().flatten(1)) and torch.equal(values["input"], batch)
    single = execute(graph, batch.float())["output"]
    assert single.dtype == torch.float32 and torch.allclose(single.double(), values["output"], atol=1e-5)


def test_execution_leaves_its_input_alone() -> None:
    graph = Graph()
    graph.add("input", Input((3,)))
    graph.add("layer", SpikingLayer((Linear(np.eye(3), np.zeros(3)),)), ("input",))
    graph.add("output", Output(), ("layer",))
    batch = torch.tensor([[-1.0, 0.0, 2.0]])
    assert execute(graph, batch)["output"].tolist() == [[0.0, 0.0, 2.0]]
    assert batch.tolist() == [[-1.0, 0.0, 2.0]]


@pytest.mark.parametrize("repeat", range(8))
def test_narrow_images_padded_beyond_the_kernel_do_not_crash_in_any_order(repeat: int) -> None:
    """oneDNN did, with channels last, as often as not (torch 2.3.1)."""
    generator = torch.Generator().manual_seed(repeat)
    for inputs, size, stride in ((2, 7, (1, 2)), (9, 6, (2, 2)), (3, 4, (2, 2))):
        op = Conv2d(np.ones((2 * inputs, inputs, 2, 1)), np.zeros(2 * inputs), stride, (1, 1))
        batch = torch.randn(16, inputs, size, 1, generator=generator)
        usual = op.apply(batch)
        assert torch.allclose(op.apply(batch.contiguous(memory_format=torch.channels_last)), usual, atol=1e-4)


def calls_while_building(nodes: int) -> int:
    """Function calls of Python that building a chain of so many nodes and inserting one into it takes."""
    count = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(counted)
    try:
        graph = chain(*(ReLU() for _ in range(nodes)), shape=(2,))
        graph.insert_after(f"n{nodes // 2}", "new", Identity())
    finally:
        sys.setprofile(None)
    return count


def test_the_work_of_building_a_graph_grows_with_its_nodes_and_not_with_their_square() -> None:
    assert calls_while_building(800) < 2.5 * calls_while_building(400)


def test_a_node_whose_shape_stays_has_nothing_behind_it_inferred_again(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = chain(conv(2, 4), *(ReLU() for _ in range(50)))
    inferred = []
    monkeypatch.setattr(
        ReLU, "output_shape", lambda self, shape, kept=ReLU.output_shape: inferred.append(shape) or kept(self, shape)
    )
    graph.replace("n0", conv(2, 4))
    assert not inferred
    graph.replace("n0", conv(2, 5))
    assert len(inferred) == 50 and graph.output.shape == (5, 4, 4)


def test_a_node_reads_only_what_exists_already() -> None:
    graph = chain(ReLU())
    with pytest.raises(AssertionError, match="not all of which exist"):
        graph.add("new", Add(), ("n0", "later"))


@pytest.mark.parametrize("inputs", [("n2",), ("n1",)])
def test_redirecting_a_node_to_what_follows_it_is_refused(inputs: tuple[str, ...]) -> None:
    graph = chain(ReLU(), ReLU(), ReLU())
    with pytest.raises(UnsupportedError, match="cycle"):
        graph.replace("n1", ReLU(), inputs)
