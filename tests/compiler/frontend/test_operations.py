"""The table of operations: each row's names, parameters and documentation agree with PyTorch, the readers, the docs."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support.operation_docs import expected, parts
from support.tracing import IMAGE, Net
from torch import nn
from torch.fx.operator_schemas import get_signature_for_torch_op

from snnc.common.errors import UnsupportedError
from snnc.compiler.frontend import trace
from snnc.compiler.frontend.files.assembly import Assembly, Place
from snnc.compiler.frontend.files.aten import Operators
from snnc.compiler.frontend.files.load import load_model
from snnc.compiler.frontend.files.onnx.arrangement import ARRANGEMENT
from snnc.compiler.frontend.files.onnx.operators import COMPUTING
from snnc.compiler.frontend.operations import table
from snnc.compiler.frontend.operations.call import Call
from snnc.compiler.frontend.operations.table import (
    OPERATORS,
    Operator,
    bounding_operator,
    function_operator,
    module_operator,
    onnx_operator,
    supported,
)
from snnc.compiler.ir import ReLU

# Python's own operators have no names for what they take, and torch none for this function's.
UNNAMED = (
    *(operator.add, operator.iadd, operator.sub, operator.isub, operator.mul, operator.imul),
    *(operator.truediv, operator.itruediv, operator.getitem, torch.max_pool2d),
)
FUNCTIONS = [
    (row, function) for row in OPERATORS for function in row.functions if row.parameters and function not in UNNAMED
]


def signatures(function: Callable[..., Any]) -> list[inspect.Signature]:
    """A function's own signature, or those of its overloads."""
    # What F.max_pool2d and its like dispatch to.
    function = getattr(F, f"_{function.__name__}", function)
    try:
        return [inspect.signature(function)]
    except ValueError:
        return get_signature_for_torch_op(function)


@pytest.mark.parametrize(
    ("row", "function"), FUNCTIONS, ids=lambda each: "row" if isinstance(each, Operator) else each.__name__
)
def test_a_row_has_the_parameters_of_its_functions_in_their_order(row: Operator, function: Any) -> None:
    found = [list(each.parameters)[1 : len(row.parameters) + 1] for each in signatures(function)]
    assert list(row.parameters) in found


def made(kind: type[nn.Module]) -> nn.Module:
    """A module, with one for whatever it has to be told."""
    needed = [each for each in inspect.signature(kind).parameters.values() if each.default is each.empty]
    return kind(*(1 for each in needed if each.kind is each.POSITIONAL_OR_KEYWORD))


@pytest.mark.parametrize("kind", [kind for row in OPERATORS for kind in row.modules])
def test_a_module_has_every_parameter_of_its_row(kind: type[nn.Module]) -> None:
    row = module_operator(made(kind))
    assert row is not None
    # A module's padding is by a constant always, and this one's axis is that of channels.
    fixed = {"call", "mode", *(["dim"] if kind is nn.Softmax2d else [])}
    assert set(inspect.signature(row.build).parameters) - fixed == set(row.of_module(made(kind)))


def test_operators_of_onnx_without_a_reader_of_their_own_are_functions_of_one_value() -> None:
    names = [(name, row) for row in OPERATORS for name in row.onnx]
    plain = [(name, row) for name, row in names if name not in COMPUTING and name not in ARRANGEMENT]
    assert "Relu" in dict(plain)
    for name, row in plain:
        assert not row.parameters and not row.reads_several, name


def test_every_reader_of_an_operator_of_onnx_stands_in_the_table() -> None:
    moved = {"Transpose", "Unsqueeze"}  # nothing is computed for them
    assert {name for name in (*COMPUTING, *ARRANGEMENT) if onnx_operator(name) is None} == moved


def test_a_name_has_one_row() -> None:
    before, relu = list(OPERATORS), function_operator(F.relu)
    with pytest.raises(ValueError, match="two rows describe"):
        Operator(functions=(F.relu,))(lambda call: None)
    assert before == OPERATORS and function_operator(F.relu) is relu is not None


def test_one_row_adds_an_operation_to_every_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, found in vars(table).copy().items():
        if name == "OPERATORS" or name.startswith("_BY_"):
            monkeypatch.setattr(table, name, found.copy())
    network = nn.Sequential(nn.Conv2d(2, 2, 3), nn.ReLU6(), nn.Flatten(), nn.Linear(8, 3)).eval()
    path = tmp_path / "network.pt2"
    torch.export.save(torch.export.export(network, (torch.zeros(2, *IMAGE),)), path)
    with pytest.raises(UnsupportedError, match="ReLU6 is not supported"):
        trace(network, IMAGE)

    @Operator(modules=(nn.ReLU6,), functions=(F.relu6,), aten=("relu6",), bounds=(0, 6), listed=("ReLU6",))
    def relu6(call: Call) -> ReLU:
        return ReLU(6.0)

    functional = Net(lambda net, x: F.relu6(x).flatten(1))
    for made in (trace(network, IMAGE), trace(functional, IMAGE), trace(load_model(path), IMAGE)):
        assert [node.op.threshold for node in made.of_kind(ReLU)] == [6.0]
    assert "Flatten, ReLU6 and" in supported()


def test_what_cuts_off_is_found_by_its_bounds() -> None:
    relu = module_operator(nn.ReLU())
    assert bounding_operator(0.0, 3.5e38) is bounding_operator(0, torch.inf) is relu is not None
    assert bounding_operator(0, 5.5) is None and bounding_operator(None, 6) is None


def test_the_documentation_lists_the_table() -> None:
    found = parts()[1]
    assert found == expected(), "renew it with: PYTHONPATH=.:tests python tests/support/operation_docs.py"
    assert found.count("\n") > 20


@pytest.mark.parametrize(("kind", "name"), [(nn.Dropout, "Dropout"), (lambda: nn.BatchNorm2d(2), "BatchNorm2d")])
def test_a_module_that_stays_in_training_mode_is_refused_by_path(kind: Callable[[], nn.Module], name: str) -> None:
    module = kind()
    module.train = lambda mode=True: module
    with pytest.raises(UnsupportedError, match=rf"^module layer \(.*\): {name} stays in training mode"):
        trace(Net(lambda net, x: net.layer(x).flatten(1), layer=module), IMAGE)


def test_what_an_export_calls_hardtanh_is_what_has_its_bounds() -> None:
    network = Assembly()
    value = network.input(Place("x"))
    node = Operators(network).apply("hardtanh", {"self": value, "min_val": 0.0, "max_val": float("inf")})
    assert node.target is F.relu
    for bounds in ({}, {"min_val": 0, "max_val": 5.5}, {"min_val": value, "max_val": 6}):
        with pytest.raises(UnsupportedError, match="hardtanh is not supported; train with ReLU"):
            Operators(network).apply("hardtanh", {"self": value, **bounds})
