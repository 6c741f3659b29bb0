"""NIR graphs of others as models: what they compute, what is compiled of them, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import snnc
from snnc.cli import main
from snnc.common.errors import SnncError, UnsupportedError
from snnc.compiler.frontend.files.load import load_model
from snnc.models.data import load_data

nir = pytest.importorskip("nir")

RNG = np.random.default_rng(0)
RESET = {"reset": "subtract"}


def floats(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32) / 2


def neurons(*shape: int, threshold: float = 2.0, reset: float = 0.0, r: float = 1e4, **metadata: Any):
    full = [np.full(shape, each) for each in (r, threshold, reset)]
    return nir.IF(*full, metadata={**RESET, **metadata})


def convolution(read: tuple[int, int], weight: np.ndarray, **options: Any):
    values = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": floats(len(weight)), **options}
    return nir.Conv2d(input_shape=read, weight=weight, **values)


def chain(*nodes: Any):
    return nir.NIRGraph.from_list(*nodes, type_check=False)


def written(folder: Path, graph: Any) -> Path:
    path = folder / "graph.nir"
    nir.write(path, graph)
    return path


def spikes(current: np.ndarray, threshold: float, start: float, steps: int) -> np.ndarray:
    """How often neurons fire that get the same current in each step, by NIR's equation with reset by subtraction."""
    potential, count = np.full(current.shape, start), np.zeros(current.shape)
    for _ in range(steps):
        potential = potential + current
        fired = potential > threshold
        potential = potential - threshold * fired
        count += fired
    return count


def test_rates_are_those_of_the_neurons(tmp_path: Path) -> None:
    weight, bias, last = floats(6, 5), floats(6), floats(3, 6)
    # Counted from the reset potential the threshold is 2 and the initial potential 0.5.
    graph = chain(nir.Affine(weight, bias), neurons(6, threshold=1.5, reset=-0.5), nir.Linear(last))
    graph.metadata["timesteps"] = 16
    network = load_model(written(tmp_path, graph))
    batch = floats(4, 5)
    count = spikes(batch.astype(np.float64) @ weight.T.astype(np.float64) + bias, 2.0, 0.5, 16)
    assert 0 < count.sum() < count.size * 16
    with torch.no_grad():
        found = network(torch.as_tensor(batch)).numpy()
    np.testing.assert_allclose(found, count / 16 @ last.T, rtol=1e-5, atol=1e-6)


def test_a_graph_of_layers_computes_what_torch_computes(tmp_path: Path) -> None:
    kernel, wide = floats(4, 2, 3, 3), floats(6, 2, 3, 3)
    shortcut, last = floats(6, 4, 1, 1), floats(3, 24)
    nodes = {
        "in": nir.Input(np.array([2, 8, 8])),
        "a": convolution((8, 8), kernel, padding=(1, 1), stride=(2, 2)),
        "scale": nir.Scale(np.broadcast_to(np.array([1.0, 2.0, 3.0, 4.0])[:, None, None], (4, 4, 4)).copy()),
        "b": convolution((4, 4), wide, padding="same", groups=2),
        "c": convolution((4, 4), shortcut),
        "join": nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([6, 2, 2])}, start_dim=0, end_dim=-1),
        "wait": nir.Delay(np.zeros(24)),
        "out": nir.Linear(last),
        "sum": nir.I(np.full(3, 1e4)),
        "end": nir.Output(np.array([3])),
    }
    edges = [("in", "a"), ("a", "scale"), ("scale", "b"), ("scale", "c"), ("b", "join"), ("c", "join")]
    edges += [("join", "flat"), ("flat", "wait"), ("wait", "out"), ("out", "sum"), ("sum", "end")]
    network = load_model(written(tmp_path, nir.NIRGraph(nodes, edges, type_check=False)))
    batch = torch.as_tensor(floats(3, 2, 8, 8))
    functional, tensor = nn.functional, torch.as_tensor
    with torch.no_grad():
        x = functional.conv2d(batch, tensor(kernel), tensor(nodes["a"].bias), 2, 1)
        x = x * torch.arange(1.0, 5.0)[:, None, None]
        y = functional.conv2d(x, tensor(wide), tensor(nodes["b"].bias), padding=1, groups=2)
        y = y + functional.conv2d(x, tensor(shortcut), tensor(nodes["c"].bias))
        expected = functional.avg_pool2d(y, 2).flatten(1) @ tensor(last).T
        torch.testing.assert_close(network(batch), expected, rtol=1e-4, atol=1e-5)


def spiking_digits() -> Any:
    """A spiking network for the digits, with neurons that fire at 1 and start at 0, trained in snnc as an ANN."""
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))
    data = load_data("digits", split="train")
    images = torch.as_tensor(data.images * np.float32(data.unit))
    snnc.models.train(ann, images, torch.as_tensor(data.labels), epochs=4, learning_rate=3e-3, threads=1)
    parameters = [each.detach().numpy() for each in ann.parameters()]
    return chain(
        nir.Input(np.array([1, 8, 8])),
        convolution((8, 8), parameters[0], padding=(1, 1), bias=parameters[1]),
        neurons(8, 8, 8, threshold=1.0, r=1.0),
        nir.Flatten({"input": np.array([8, 8, 8])}, start_dim=0, end_dim=-1),
        nir.Affine(parameters[2], parameters[3]),
        nir.Output(np.array([10])),
    )


def test_a_spiking_network_of_another_tool_is_compiled_with_its_own_thresholds(tmp_path: Path) -> None:
    path = written(tmp_path, spiking_digits())
    program = snnc.compile(path, "digits", timesteps=16, threshold="learned")
    (layer,) = program.spiking_layers
    assert layer.threshold is not None and layer.initial_potential == 0
    assert not [note for note in program.provenance.notes if "trained for T" in note]
    data = load_data("digits", split="test")
    accuracy = snnc.run(program, data).accuracy(data.labels)
    assert accuracy > 0.85
    # The rates of the graph itself, by NIR's equation in floating point.
    graph = nir.read(path)
    kernel, dense = graph.nodes["conv2d"], graph.nodes["affine"]
    images, weight, bias = (torch.as_tensor(each) for each in (data.images * data.unit, kernel.weight, kernel.bias))
    drive = nn.functional.conv2d(images.float(), weight, bias, 1, 1)
    count = spikes(drive.double().numpy(), 1.0, 0.0, 16)
    predicted = (count.reshape(len(data), -1) / 16 @ dense.weight.T + dense.bias).argmax(1)
    assert (predicted == snnc.run(program, data).predictions).mean() > 0.97


def test_an_exported_network_is_compiled_again_from_raw_data(tmp_path: Path) -> None:
    first = snnc.compile(written(tmp_path, spiking_digits()), "digits", timesteps=8, threshold="learned")
    snnc.export_nir(first, tmp_path / "exported.nir")
    again = snnc.compile(tmp_path / "exported.nir", "digits", timesteps=8, threshold="learned")
    data = load_data("digits", split="test")
    assert (snnc.run(first, data).predictions == snnc.run(again, data).predictions).mean() > 0.98


def test_branches_are_compiled(tmp_path: Path) -> None:
    nodes = {
        "in": nir.Input(np.array([2, 6, 6])),
        "a": convolution((6, 6), floats(4, 2, 3, 3), padding=(1, 1)),
        "first": neurons(4, 6, 6),
        "b": convolution((6, 6), floats(4, 4, 3, 3), padding=(1, 1)),
        "c": convolution((6, 6), floats(4, 4, 1, 1)),
        "second": neurons(4, 6, 6, reset=-0.5),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([4, 3, 3])}, start_dim=0, end_dim=-1),
        "out": nir.Linear(floats(5, 36)),
        "end": nir.Output(np.array([5])),
    }
    edges = [("in", "a"), ("a", "first"), ("first", "b"), ("first", "c"), ("b", "second"), ("c", "second")]
    edges += [("second", "pool"), ("pool", "flat"), ("flat", "out"), ("out", "end")]
    path = written(tmp_path, nir.NIRGraph(nodes, edges, type_check=False))
    data = RNG.random((60, 2, 6, 6)).astype(np.float32)
    program = snnc.compile(path, data, timesteps=32, threshold="learned")
    assert len(program.spiking_layers) == 2
    with torch.no_grad():
        rates = load_model(path)(torch.as_tensor(data)).numpy()
    found = program.logits(snnc.run(program, data).readout)
    assert np.corrcoef(found.ravel(), rates.ravel())[0, 1] > 0.95
    # There and back once more: the exported program is a graph with branches too.
    snnc.export_nir(program, tmp_path / "back.nir")
    assert np.array_equal(snnc.run(tmp_path / "back.nir", data).readout, snnc.run(program, data).readout)


def test_spikes_at_the_output_are_counted(tmp_path: Path) -> None:
    network = load_model(written(tmp_path, chain(nir.Linear(floats(4, 6)), neurons(4))))
    with torch.no_grad():
        assert network(torch.as_tensor(floats(2, 6))).shape == (2, 4)
    program = snnc.compile(network, floats(40, 6), timesteps=4, threshold="learned")
    assert len(program.spiking_layers) == 1 and program.readout.shape == (4,)


def leaky(kind: Callable[..., Any], **fields: float) -> Any:
    return kind(**{name: np.full(4, value) for name, value in fields.items()})


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([leaky(nir.LIF, tau=1, r=1, v_leak=0, v_threshold=1)], "lif: LIF is not supported"),
        ([leaky(nir.CubaLIF, tau_syn=1, tau_mem=1, r=1, v_leak=0, v_threshold=1)], "cubalif: CubaLIF is not supported"),
        ([leaky(nir.LI, tau=1, r=1, v_leak=0)], "li: LI is not supported"),
        ([nir.Threshold(np.ones(4))], "threshold: Threshold is not supported"),
        ([nir.IF(np.ones(4), np.ones(4))], "if: IF neurons of NIR reset to a value, those of snnc by subtraction"),
        ([nir.IF(np.ones(4), np.array([1, 2, 3, np.nan]), metadata=RESET)], "if: v_threshold differs within a channel"),
        ([neurons(4, threshold=0)], "if: the thresholds cannot be used"),
        ([neurons(4, reset=1)], "if: the thresholds cannot be used"),
        ([neurons(4, threshold=-1, reset=-3)], "if: the thresholds cannot be used"),
        ([neurons(4, r=-1.0)], "the neurons' resistance is not positive"),
        ([neurons(4, r=1.0), neurons(4, r=2.0)], "the neurons have different resistances"),
        ([nir.Delay(np.ones(4))], "delay: a delay is not supported"),
        ([nir.Scale(np.full(4, np.inf))], "scale: the scale differs within a channel"),
        ([nir.Linear(np.full((4, 4), np.nan))], "linear_1: weight has the shape (4, 4), or is not finite"),
    ],
)
def test_what_cannot_be_compiled_is_refused_by_the_name_of_its_node(tmp_path: Path, nodes: list, message: str) -> None:
    with pytest.raises(UnsupportedError) as error:
        load_model(written(tmp_path, chain(nir.Linear(floats(4, 4)), *nodes, nir.Linear(floats(2, 4)))))
    assert str(error.value).startswith(message)


def test_cycles_and_several_inputs_are_refused(tmp_path: Path) -> None:
    nodes = {"in": nir.Input(np.array([4])), "a": nir.Linear(floats(4, 4)), "b": nir.Linear(floats(4, 4))}
    end = {"out": nir.Output(np.array([4]))}
    edges = [("in", "a"), ("a", "b"), ("b", "a"), ("b", "out")]
    with pytest.raises(UnsupportedError, match="the graph has a cycle"):
        load_model(written(tmp_path, nir.NIRGraph({**nodes, **end}, edges, type_check=False)))
    nodes["more"] = nir.Input(np.array([4]))
    edges = [("in", "a"), ("more", "a"), ("a", "b"), ("b", "out")]
    with pytest.raises(UnsupportedError, match="the graph has 2 nodes Input"):
        load_model(written(tmp_path, nir.NIRGraph({**nodes, **end}, edges, type_check=False)))


def test_sizes_that_do_not_fit_are_errors_of_ours(tmp_path: Path) -> None:
    for wrong in (nir.Linear(floats(4, 7)), convolution((4, 4), floats(2, 3, 3, 3)), nir.Scale(np.ones(3))):
        path = written(tmp_path, chain(nir.Linear(floats(4, 6)), wrong, nir.Output(np.array([4]))))
        with pytest.raises(SnncError):
            snnc.compile(path, floats(20, 6), timesteps=2)


def test_the_command_line_exports_runs_and_compiles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, spiking_digits())
    assert main(["compile", "graph.nir", "--calib", "digits", "-T", "4", "--threshold", "learned", "-q"]) == 0
    assert main(["export", "graph.net", "--to", "nir", "out.nir"]) == 0
    out = capsys.readouterr().out
    assert "note: NIR's IF neurons reset to a value" in out and "wrote out.nir: 2 layers, T = 4; " in out
    assert main(["export", "graph.net", "--to", "nir", "loop.nir", "--neuron", "cuba", "--json"]) == 0
    assert '"neuron": "cuba"' in capsys.readouterr().out
    for command in (["run"], ["run", "--samples", "5"], ["inspect"], ["bundle", "-o", "lab.tar.gz"]):
        data = [] if command == ["inspect"] else ["--data", "digits"]
        shown = []
        for net in ("graph.net", "out.nir", "loop.nir"):
            assert main([command[0], net, *data, *command[1:]]) == 0
            shown.append(capsys.readouterr().out.replace(net, "NET"))
        assert shown[0] == shown[1] == shown[2]
    assert main(["export", "loop.nir", "--to", "net", "back.net"]) == 0
    assert Path("back.net").read_bytes() == Path("graph.net").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "graph.nir", "--to", "nir", "x.nir"], "graph.nir: was not exported by snnc"),
        (["run", "graph.nir", "--data", "digits"], "compile it: snnc compile takes NIR graphs as models"),
        (["export", "graph.nir", "--to", "onnx", "x"], "--to: unknown format (expected nir or net, found 'onnx')"),
        (["export", "graph.nir", "--to", "net", "x", "--neuron", "cuba"], "--neuron: is for --to nir"),
        (["export", "graph.nir", "--to", "nir", "graph.nir"], "graph.nir: would overwrite what it is made of"),
        (["compile", "graph.nir", "--calib", "digits", "--arch", "lenet"], "--arch: is only for a state_dict"),
    ],
)
def test_wrong_use_is_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, chain(nir.Linear(floats(4, 64)), neurons(4)))
    assert main(arguments) == 2
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["graph.nir"]
