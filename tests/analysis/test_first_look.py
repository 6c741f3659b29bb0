"""snnc init: what it finds in a model, and the file that it writes."""

from __future__ import annotations

import inspect
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from support.command_line import FullCall
from support.digits import Folder
from support.tasks import normalised
from torch import nn

from snnc.analysis.first_look import FirstLook, look_at_model
from snnc.cli.configuration import FILE_NAME, KEYS, read_configuration
from snnc.cli.configuration.write import configuration_text
from snnc.models import QCFS, digits_cnn, lenet, resnet20, vgg16
from snnc.models.data.dataset import keep_normalisation

EVERYTHING = {"compile": set(KEYS)}


def saved(folder: Path, content: object, name: str = "model.pt") -> Path:
    torch.save(content, folder / name)
    return folder / name


def test_a_model_is_compiled_with_what_init_wrote_and_nothing_else(
    tmp_path: Path, call: FullCall, made: Folder
) -> None:
    model = Path(shutil.copy(made.model, tmp_path / "model.pt"))
    code, out, err = call("init", model)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"{model}: 13,754 parameters, samples of 1×8×8, 10 outputs",
        f"wrote {model.parent}/snnc.toml",
    ]
    text = (tmp_path / FILE_NAME).read_text()
    assert "# It takes samples of 1 x 8 x 8 (channels, height, width) and gives 10 outputs." in text
    code, out, err = call("compile", model, "--target", "loihi", "--threshold", "max")
    assert (code, err) == (0, "") and out.startswith(f"from {tmp_path / FILE_NAME}: calib, timesteps")


def test_a_file_is_replaced_only_by_force(tmp_path: Path, call: FullCall) -> None:
    model = saved(tmp_path, digits_cnn())
    path = tmp_path / FILE_NAME
    path.write_text("# mine\n")
    code, _, err = call("init", model)
    assert (code, err) == (2, f"error: {path}: is there already; add --force to replace it\n")
    assert path.read_text() == "# mine\n"
    code, out, _ = call("init", model, "--force", "--json")
    assert code == 0 and json.loads(out)["shapes"] == [[1, 8, 8]]
    assert path.read_text() != "# mine\n"


def test_init_of_what_is_no_model_writes_nothing(tmp_path: Path, call: FullCall) -> None:
    (tmp_path / "text.pt").write_text("hello")
    for name, problem in (("text.pt", "not a model file"), ("none.pt", "no such file")):
        code, _, err = call("init", tmp_path / name)
        assert code == 2 and problem in err
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: resnet20(), ["resnet20"]),
        (lambda: resnet20(100), ["resnet20:100"]),
        (
            lambda: vgg16(7, activation="qcfs"),
            ["vgg16:7:clipped", "vgg16:7:clipped:max", "vgg16:7:qcfs", "vgg16:7:qcfs:max"],
        ),
        (lambda: nn.DataParallel(lenet()), ["lenet", "lenet:max"]),
    ],
)
def test_weights_of_our_networks_are_recognised(
    tmp_path: Path, make: Callable[[], nn.Module], names: list[str]
) -> None:
    found = look_at_model(saved(tmp_path, {"state_dict": make().state_dict()}))
    assert [found.arch, *found.others] == names and found.shape is not None and found.problem is None
    assert read_text(tmp_path, found).common["arch"] == names[0]


def test_weights_of_other_networks_are_refused_as_by_compile(tmp_path: Path, call: FullCall) -> None:
    code, _, err = call("init", saved(tmp_path, nn.Linear(3, 2).state_dict()))
    assert code == 2 and "is a state_dict of 2 tensors, without the network they belong to" in err


def read_text(folder: Path, found: FirstLook, name: str = "model.pt"):
    path = folder / FILE_NAME
    path.write_text(configuration_text(found, Path(name)), encoding="utf-8")
    return read_configuration(path, EVERYTHING)


@pytest.mark.parametrize(
    ("make", "shape", "data"),
    [
        (lambda: lenet(), (1, 28, 28), "mnist:ROOT"),
        (lambda: resnet20(), (3, 32, 32), "cifar10:ROOT"),
        (lambda: vgg16(), (3, 32, 32), "cifar10:ROOT"),
        (lambda: nn.Sequential(nn.Linear(20, 5), nn.ReLU(), nn.Linear(5, 3)), (20,), None),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), (1, 28, 28), "mnist:ROOT"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(300, 10)), (3, 10, 10), None),
    ],
)
def test_the_shape_of_samples_is_found(tmp_path: Path, make: Callable[[], nn.Module], shape: tuple, data: str) -> None:
    found = look_at_model(saved(tmp_path, make()))
    assert (found.shape, found.data) == (shape, data)


def test_networks_that_are_graphs_are_looked_at_too(tmp_path: Path) -> None:
    network, example = digits_cnn().eval(), (torch.zeros(2, 1, 8, 8),)
    batch = torch.export.Dim("batch", min=1, max=1024)
    names = next(iter(inspect.signature(network.forward).parameters))
    program = torch.export.export(network, example, dynamic_shapes={names: {0: batch}})
    torch.export.save(program, tmp_path / "model.pt2")
    found = look_at_model(tmp_path / "model.pt2")
    assert (found.shape, found.classes, found.data, found.problem) == ((1, 8, 8), 10, "digits", None)
    assert found.parameters > 13_000 and not found.learned


def test_learned_thresholds_and_their_steps_are_found(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Linear(6, 4), QCFS(steps=4), nn.Linear(4, 2))
    found = look_at_model(saved(tmp_path, network))
    assert found.learned and found.timesteps == 4
    assert dict(read_text(tmp_path, found).common) == {"timesteps": 4, "threshold": "learned"}
    assert not look_at_model(saved(tmp_path, digits_cnn())).learned


def test_arrays_beside_the_model_are_found_by_their_shape(tmp_path: Path) -> None:
    model = saved(tmp_path, nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)))
    np.savez(tmp_path / "a.npz", x=np.zeros((3, 5)))
    (tmp_path / "b.npz").write_bytes(b"no zip")
    np.savez(tmp_path / "c.npz", z=np.zeros((3, 6)))
    assert look_at_model(model).data is None
    np.savez(tmp_path / "d.npz", x=np.zeros((3, 6)))
    found = look_at_model(model)
    assert found.data == "d.npz"
    assert read_text(tmp_path, found).common["calib"] == "d.npz"


def test_what_cannot_be_compiled_is_said_at_once(tmp_path: Path, call: FullCall) -> None:
    model = saved(tmp_path, nn.Sequential(nn.Conv2d(1, 2, 3), nn.GELU(), nn.Flatten(), nn.Linear(72, 2)))
    code, out, _ = call("init", model)
    assert code == 0 and "note: it cannot be compiled as it is: module 1: GELU is not supported" in out
    assert "# It cannot be compiled as it is: module 1: GELU" in (tmp_path / FILE_NAME).read_text()


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.fc(x) + y


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (
            nn.Sequential(nn.Conv1d(2, 3, 3), nn.Tanh(), nn.Flatten()),
            "2 places .* 0: Conv1d .* 1: Tanh is not supported",
        ),
        (TwoInputs(), "several inputs"),
    ],
)
def test_networks_of_unknown_samples_are_looked_over_too(
    tmp_path: Path, call: FullCall, network: nn.Module, told: str
) -> None:
    code, out, err = call("init", saved(tmp_path, network), "--trust")
    assert (code, err) == (0, "") and re.search(f"note: it cannot be compiled as it is: .*{told}", out)
    assert (tmp_path / FILE_NAME).exists()


def test_files_whose_network_cannot_be_put_together_get_a_file_too(tmp_path: Path, call: FullCall) -> None:
    onnx_models = pytest.importorskip("support.onnx_models")
    made = onnx_models.model([onnx_models.node("Sigmoid", "x")], {}, ("n", 2, 6, 7))
    code, out, err = call("init", onnx_models.saved(made, tmp_path / "m.onnx"))
    assert (code, err) == (0, "") and "note: it cannot be compiled as it is: net/y: Sigmoid is not" in out
    assert (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("name", ['a "quoted" name.pt', "line\nbreak.pt", "back\\slash.pt", "\x7f\x1b.pt", "ünï😀.pt"])
def test_any_name_of_a_model_gives_a_readable_file(tmp_path: Path, name: str) -> None:
    found = FirstLook(None, (), 1, {}, (), None, False, None, name, "a problem\nof two lines")
    configuration = read_text(tmp_path, found, name)
    assert dict(configuration.common) == {"timesteps": 8, "calib": name, "data": name}


def test_every_suggestion_in_the_file_is_a_key(tmp_path: Path) -> None:
    """What stands there as a comment can be uncommented as it is."""
    found = FirstLook("resnet20", (), 1, {}, ((3, 32, 32),), 10, False, None, "cifar10:ROOT", None)
    text = configuration_text(found, Path("model.pt"))
    uncommented = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ") and " = " in line]
    path = tmp_path / FILE_NAME
    path.write_text("\n".join(uncommented))
    assert len(read_configuration(path, EVERYTHING).common) == len(uncommented) > 6


def test_a_normalisation_that_fits_the_data_beside_the_model_is_proposed(tmp_path: Path, call: FullCall) -> None:
    module, (x, y) = normalised(0.5, 0.1)
    model = saved(tmp_path, module)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    code, out, err = call("init", model)
    assert (code, err) == (0, "") and "is set in the file" in out
    code, out, err = call("compile", model, "--threshold", "max")
    assert (code, err) == (0, "") and "mean, std" in out.splitlines()[0]
    keep_normalisation(module, (0.5,), (0.1,))
    saved(tmp_path, module)
    code, out, err = call("init", model, "--force")
    assert (code, err) == (0, "") and "is set in the file" not in out
    assert "# mean = 0.5\n# std = 0.1\n" in (tmp_path / FILE_NAME).read_text()
