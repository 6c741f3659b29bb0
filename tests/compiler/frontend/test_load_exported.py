"""Reading programs of torch.export: what they compute, what they may hold, and that nothing in them runs."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.formats import NETWORKS, Network, assert_close, assert_reads, network
from torch import nn

from snnc.cli import main
from snnc.common.errors import ModelError, OptionError, SnncError, UnsupportedError, UntrustedModelError
from snnc.compiler.frontend import trace
from snnc.compiler.frontend.files.load import load_model, read_state
from snnc.models import digits_cnn

DATA = Path(__file__).parents[2] / "data"
PORTABLE = sorted(DATA.glob("exported-*.pt2"))


def exported(original: Network, path: Path, *, samples: int = 1, **options: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(original.module, (original.batch(samples),), **options)
        torch.export.save(program, path)
    return path


@pytest.mark.parametrize("name", NETWORKS)
def test_a_program_computes_what_was_exported(tmp_path: Path, name: str) -> None:
    original = network(name)
    assert_reads(exported(original, tmp_path / "m.pt2"), original)


@pytest.mark.parametrize("name", ["vgg", "branches"])
def test_the_number_of_samples_may_be_open_or_fixed(tmp_path: Path, name: str) -> None:
    original = network(name)
    batch = torch.export.Dim("batch")
    assert_reads(exported(original, tmp_path / "open.pt2", samples=4, dynamic_shapes=({0: batch},)), original)
    assert_reads(exported(original, tmp_path / "fixed.pt2", samples=4), original)


@pytest.mark.parametrize("name", ["vgg", "branches"])
def test_decomposed_programs_are_read(tmp_path: Path, name: str) -> None:
    original = network(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(original.module, (original.batch(2),)).run_decompositions()
        torch.export.save(program, tmp_path / "m.pt2")
    assert_reads(tmp_path / "m.pt2", original)


@pytest.mark.parametrize("path", PORTABLE, ids=lambda path: path.stem)
def test_files_of_other_versions_are_read(path: Path) -> None:
    read = load_model(path)
    images = torch.linspace(-1, 1, 3 * 64).reshape(3, 1, 8, 8)
    with torch.no_grad():
        assert_close(read(images), torch.as_tensor(np.load(DATA / "exported.npz")["expected"]))
    modules = [name for node in trace(read, (1, 8, 8)) for name in node.modules]
    assert {"features.0", "features.1", "features.2", "features.3", "side", "head"} <= set(modules)


def test_both_layouts_are_tested() -> None:
    assert len(PORTABLE) == 2


class Other(nn.Module):
    """A layer, and behind it what the test is about."""

    def __init__(self, after: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 3)
        self.after = after

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.after(self.conv(x))


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (torch.sigmoid, "sigmoid is not supported; train with ReLU instead"),
        (lambda x: x * x, "the product of two values"),
        (lambda x: x.transpose(2, 3), "transpose is not supported"),
        (lambda x: torch.mm(x.flatten(1), x.flatten(1)), "matmul of two computed values is not supported"),
        (lambda x: torch.nn.functional.dropout(x, 0.5, True), "dropout is active here"),
        (lambda x: torch.max(x, dim=1)[0], "max is not supported"),
    ],
)
def test_what_cannot_be_compiled_is_named_with_its_line(tmp_path: Path, after: Any, told: str) -> None:
    path = exported(Network(Other(after).eval(), (2, 4, 4)), tmp_path / "m.pt2", samples=8)
    with pytest.raises(UnsupportedError) as error:
        trace(load_model(path), (2, 4, 4))
    assert told in str(error.value) and "(test_load_exported.py:" in str(error.value)


def test_a_layer_is_named_by_its_path(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Sequential(nn.Tanh())).eval()
    path = exported(Network(module, (2, 4, 4)), tmp_path / "m.pt2")
    with pytest.raises(UnsupportedError, match=r"^1\.0.*: tanh is not supported"):
        load_model(path)


def test_several_inputs_and_outputs_are_refused(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x + y

    class Pair(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x.relu(), x.relu()

    image = torch.ones(1, 2, 4, 4)
    torch.export.save(torch.export.export(Two(), (image, image)), tmp_path / "two.pt2")
    with pytest.raises(UnsupportedError, match=r"^the network has several inputs"):
        trace(load_model(tmp_path / "two.pt2"), (2, 4, 4))
    torch.export.save(torch.export.export(Pair(), (image,)), tmp_path / "pair.pt2")
    with pytest.raises(UnsupportedError, match="returns several values"):
        trace(load_model(tmp_path / "pair.pt2"), (2, 4, 4))


def test_arch_is_refused() -> None:
    with pytest.raises(OptionError, match="is only for a state_dict"):
        load_model(PORTABLE[0], arch=nn.ReLU)


def test_weights_are_not_taken_from_a_graph() -> None:
    with pytest.raises(ModelError, match="its weights have no names"):
        read_state(PORTABLE[0])


# ---- files that nobody should trust ----


def changed(path: Path, target: Path, change: Callable[[str, bytes], bytes], compression: int = 0) -> Path:
    """Write an archive again, each record as ``change`` makes it."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w", compression) as archive:
        for name in source.namelist():
            archive.writestr(name, change(name, source.read(name)))
    return target


def with_graph(path: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Write an archive again with another graph."""

    def rewritten(name: str, content: bytes) -> bytes:
        if not name.endswith(("serialized_exported_program.json", "models/model.json")):
            return content
        document = json.loads(content)
        change(document)
        return json.dumps(document).encode()

    return changed(path, target, rewritten)


class RunsCode:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> object:
        return os.system, (f"touch {self.mark}",)


def test_pickles_inside_are_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    buffer = io.BytesIO()
    torch.save({"head.weight": RunsCode(mark)}, buffer)
    evil = buffer.getvalue()
    names = ("serialized_state_dict.pt", "serialized_constants.pt", "sample_inputs/model.pt")
    for number, path in enumerate(PORTABLE):
        target = changed(
            path, tmp_path / f"{number}.pt2", lambda name, content: evil if name.endswith(names) else content
        )
        if "2.3" in path.name:
            with pytest.raises(UntrustedModelError, match="system"):
                load_model(target)
        else:
            # Examples of the input are not looked at.
            assert isinstance(load_model(target), nn.Module)
        assert not mark.exists()

    def pickled(name: str, content: bytes) -> bytes:
        if name.endswith("weights/weight_0"):
            return evil
        return (
            content.replace(b'"use_pickle": false', b'"use_pickle": true') if name.endswith("config.json") else content
        )

    (newest,) = (path for path in PORTABLE if "2.3" not in path.name)
    with pytest.raises(ModelError, match="a tensor in it is pickled"):
        load_model(changed(newest, tmp_path / "pickle.pt2", pickled))
    assert not mark.exists()


@pytest.mark.parametrize("path", PORTABLE, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    "target",
    ["os.system", "torch.ops.aten.from_file.default", "torch.ops.aten.__class__", "torch.ops.aten.full.default"],
)
def test_no_other_function_is_called(tmp_path: Path, path: Path, target: str) -> None:
    def change(document: dict[str, Any]) -> None:
        document["graph_module"]["graph"]["nodes"][0]["target"] = target

    with pytest.raises(UnsupportedError, match="is not supported"):
        load_model(with_graph(path, tmp_path / "m.pt2", change))


@pytest.mark.parametrize("path", PORTABLE, ids=lambda path: path.stem)
def test_names_from_the_file_become_no_code(tmp_path: Path, path: Path) -> None:
    mark = tmp_path / "ran"
    evil = f"x'\"\\n); __import__('os').system('touch {mark}') #\x1b[2J"
    text = json.dumps(evil)[1:-1].encode()

    def rewritten(name: str, content: bytes) -> bytes:
        return content.replace(b"features", text) if name.endswith(".json") else content

    target = changed(path, tmp_path / "m.pt2", rewritten)
    try:
        trace(load_model(target), (1, 8, 8))
    except SnncError as error:
        assert "\x1b" not in str(error)
    assert not mark.exists()


def huge(document: dict[str, Any]) -> None:
    for spec in document["graph_module"]["graph"]["tensor_values"].values():
        spec["sizes"] = [{"as_int": 2**62}] * 4


@pytest.mark.parametrize("path", PORTABLE, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda document: document.clear(), "KeyError"),
        (lambda document: document["graph_module"].update(graph=3), "TypeError"),
        (lambda document: document["graph_module"]["graph"]["nodes"][0].update(inputs=[{}]), "KeyError"),
        (lambda document: document["graph_module"]["graph"]["nodes"][0].update(outputs=[{"as_tensor": []}]), "Error"),
        (
            lambda document: document["graph_module"]["signature"]["input_specs"][0].update(
                parameter={"arg": {"name": "x"}, "parameter_name": "none"}
            ),
            "lacks the values of none",
        ),
    ],
)
def test_graphs_that_contradict_themselves_are_refused(tmp_path: Path, path: Path, change: Any, told: str) -> None:
    with pytest.raises(ModelError, match="truncated or damaged") as error:
        load_model(with_graph(path, tmp_path / "m.pt2", change))
    assert told in str(error.value)


@pytest.mark.parametrize("path", PORTABLE, ids=lambda path: path.stem)
def test_sizes_that_the_file_declares_take_no_memory(tmp_path: Path, path: Path) -> None:
    load_model(with_graph(path, tmp_path / "m.pt2", huge))
    if "2.3" in path.name:
        return

    def rewritten(name: str, content: bytes) -> bytes:
        return (
            content.replace(b'"as_int": 64', b'"as_int": 4611686018427387904') if "weights_config" in name else content
        )

    with pytest.raises(ModelError, match="reaches outside its storage"):
        load_model(changed(path, tmp_path / "huge.pt2", rewritten))


@pytest.mark.parametrize("path", PORTABLE, ids=lambda path: path.stem)
def test_compressed_archives_are_refused(tmp_path: Path, path: Path) -> None:
    bomb = changed(path, tmp_path / "m.pt2", lambda _, content: content + b" " * 10_000_000, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1_000_000
    with pytest.raises(ModelError, match="is compressed"):
        load_model(bomb)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_gives_an_error_or_a_network(tmp_path: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(PORTABLE))
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content)))]
    for position in data.draw(st.lists(st.integers(0, max(0, len(content) - 1)), max_size=3)):
        if content:
            content[position] = data.draw(st.integers(0, 255))
    (tmp_path / "m.pt2").write_bytes(content)
    try:
        assert isinstance(load_model(tmp_path / "m.pt2"), nn.Module)
    except SnncError as error:
        assert "\n" not in str(error)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_inside_the_graph_gives_an_error_or_a_network(tmp_path: Path, data: st.DataObject) -> None:
    """The archive is written anew, so that its checksums fit."""
    path = data.draw(st.sampled_from(PORTABLE))

    def damaged(name: str, content: bytes) -> bytes:
        if not name.endswith(".json"):
            return content
        bytes_ = bytearray(content)
        for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=3)):
            bytes_[position] = data.draw(st.sampled_from(b'0123456789{}[]",:abcxyz_.-'))
        return bytes(bytes_)

    try:
        assert isinstance(load_model(changed(path, tmp_path / "m.pt2", damaged)), nn.Module)
    except SnncError as error:
        assert "\n" not in str(error)


def test_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    exported(Network(digits_cnn().eval(), (1, 8, 8)), tmp_path / "m.pt2")
    assert main(["compile", "m.pt2", "--calib", "digits", "--calib-samples", "16", "--threshold", "max", "-q"]) == 0
    assert main(["run", "m.net", "--data", "digits", "--samples", "4"]) == 0
