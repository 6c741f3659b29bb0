"""The networks of the literature: their sizes, their names of weights, and the ways to a file and back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from snnc import models
from snnc.common.errors import ModelError, OptionError, UntrustedModelError
from snnc.compiler.frontend.files.load import load_model
from snnc.inputs.architectures import NAMES, architecture, named
from snnc.inputs.data import as_module
from snnc.models import PaddedShortcut, ResidualBlock

SHAPES = {"lenet": (1, 28, 28), "digits_cnn": (1, 8, 8)}
# The same for every network: the literature's own figure is beside it, where it gives one.
PARAMETERS = {
    "alexnet": 21_161_194,
    "cifarnet": 45_005_450,  # "45 M" in tables of Wu et al.'s followers
    "lenet": 61_706,  # LeCun et al.: 60,000, with fewer connections in the second convolution
    "resnet18": 11_173_962,  # 11.17 M
    "resnet19": 12_697_994,  # 12.63 M is quoted
    "resnet20": 269_722,  # He et al., table 6: 0.27 M
    "resnet34": 21_282_122,  # 21.28 M
    "resnet34_imagenet": 21_797_672,  # torchvision's resnet34
    "vgg16": 14_724_042,  # 14.72 M with one linear layer
    "vgg16_imagenet": 138_357_544,  # Simonyan and Zisserman, table 2: 138 M
}


def shape_of(name: str) -> tuple[int, ...]:
    return SHAPES.get(name, (3, 224, 224) if name.endswith("imagenet") else (3, 32, 32))


def on_paper(name: str, **choices: object) -> nn.Module:
    """A network without memory for its weights."""
    with torch.device("meta"):
        return getattr(models, name)(**choices).eval()


def parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", [None, 10, 100])
def test_every_network_maps_its_images_to_logits(name: str, classes: int | None) -> None:
    network = on_paper(name) if classes is None else on_paper(name, num_classes=classes)
    assert type(network) is nn.Sequential
    logits = network(torch.zeros(2, *shape_of(name), device="meta"))
    assert logits.shape == (2, classes or (1000 if name.endswith("imagenet") else 10))


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_every_network_has_the_literature_s_size(name: str, count: int) -> None:
    assert parameter_count(on_paper(name)) == count


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda: on_paper("resnet34_imagenet"), "resnet34"),
        (lambda: on_paper("vgg16_imagenet"), "vgg16"),
        (lambda: on_paper("vgg16_imagenet", batch_norm=True), "vgg16_bn"),
    ],
)
def test_weights_of_torchvision_fit_the_networks_for_imagenet(ours, theirs) -> None:
    torchvision = pytest.importorskip("torchvision")
    with torch.device("meta"):
        expected = getattr(torchvision.models, theirs)().state_dict()
    found = ours().state_dict()
    assert [(name, value.shape) for name, value in found.items()] == [
        (name, value.shape) for name, value in expected.items()
    ]


def test_resnet34_computes_what_torchvision_s_does() -> None:
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    theirs = torchvision.models.resnet34(num_classes=5).eval()
    ours = models.resnet34_imagenet(5).eval()
    ours.load_state_dict(theirs.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(image), theirs(image))


def test_resnet20_has_the_names_of_the_published_weights() -> None:
    names = list(models.resnet20().state_dict())
    assert names[:6] == [
        *("conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"),
        "bn1.num_batches_tracked",
    ]
    assert names[-2:] == ["linear.weight", "linear.bias"]
    blocks = {name.rsplit(".", 2)[0] for name in names if name.startswith("layer")}
    assert blocks == {f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1, 2)}
    assert not [name for name in names if "downsample" in name]


def test_layers_in_order_make_up_the_names_of_the_networks() -> None:
    """ResNet18, 19, 20 and 34 have so many layers with weights, shortcuts apart; VGG16 has 16."""
    for name, layers in (("resnet18", 18), ("resnet19", 19), ("resnet20", 20), ("resnet34", 34), ("vgg16", 14)):
        weighted = [
            part
            for path, part in on_paper(name).named_modules()
            if isinstance(part, nn.Conv2d | nn.Linear) and "downsample" not in path
        ]
        assert len(weighted) == layers
    assert len([part for part in on_paper("vgg16", linear_layers=3) if isinstance(part, nn.Conv2d | nn.Linear)]) == 16


def test_a_padded_shortcut_keeps_every_second_pixel_and_adds_zeros_on_both_sides() -> None:
    image = torch.arange(2 * 2 * 5 * 4, dtype=torch.float32).reshape(2, 2, 5, 4)
    found = PaddedShortcut(2, 2)(image)
    assert found.shape == (2, 4, 3, 2)
    assert torch.equal(found[:, 1:3], image[:, :, [0, 2, 4]][..., [0, 2]])
    assert not found[:, [0, 3]].any()
    assert str(PaddedShortcut(2, 16)) == "PaddedShortcut(stride=2, new_channels=16)"


def test_a_block_adds_its_input() -> None:
    block = ResidualBlock(4, 4, stride=1, shortcut="padded", activation=nn.ReLU).eval()
    nn.init.zeros_(block.conv2.weight)
    image = torch.randn(2, 4, 5, 5)
    assert torch.equal(block(image), image.relu())


@pytest.mark.parametrize("name", ["resnet20", "resnet18", "vgg16"])
def test_networks_can_be_traced(name: str) -> None:
    network = getattr(models, name)().eval()
    image = torch.rand(1, *shape_of(name))
    traced = torch.fx.symbolic_trace(network)
    with torch.no_grad():
        assert torch.equal(traced(image), network(image))


# ---- choices ----


def test_every_activation_is_a_module_of_its_own() -> None:
    for name, kind, count in (("clipped", models.ClippedReLU, 19), ("qcfs", models.QCFS, 19), ("relu", nn.ReLU, 19)):
        network = on_paper("resnet20", activation=name)
        assert len([part for part in network.modules() if type(part) is kind]) == count
    network = on_paper("vgg16", activation=lambda: nn.Hardtanh(0, 1))
    assert len({id(part) for part in network.modules() if isinstance(part, nn.Hardtanh)}) == 13


def test_pooling_is_chosen() -> None:
    for name, own, count in (
        ("lenet", nn.AvgPool2d, 2),
        ("cifarnet", nn.AvgPool2d, 2),
        ("alexnet", nn.AvgPool2d, 2),
        ("vgg16", nn.AvgPool2d, 5),
        ("vgg16_imagenet", nn.MaxPool2d, 5),
        ("resnet34_imagenet", nn.MaxPool2d, 1),
    ):
        assert len([part for part in on_paper(name).modules() if type(part) is own]) == count
        for choice, kind in (("max", nn.MaxPool2d), ("average", nn.AvgPool2d)):
            found = {type(part) for part in on_paper(name, pooling=choice).modules()}
            assert found & {nn.MaxPool2d, nn.AvgPool2d} == {kind}


@pytest.mark.parametrize("name", NAMES)
def test_impossible_choices_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match=r"num_classes.*at least 1.*found 0"):
        on_paper(name, num_classes=0)
    with pytest.raises(OptionError, match=r"no such activation.*relu, clipped, qcfs.*'gelu'"):
        on_paper(name, activation="gelu")


def test_impossible_pooling_is_refused() -> None:
    with pytest.raises(OptionError, match=r"no such pooling.*max or average.*'mean'"):
        on_paper("vgg16", pooling="mean")


# ---- names on the command line ----


@pytest.mark.parametrize(
    ("text", "classes", "activation", "pooling"),
    [
        ("vgg16", None, None, None),
        ("vgg16:100", 100, None, None),
        ("vgg16:qcfs:100:max", 100, "qcfs", "max"),
        ("vgg16:average:clipped", None, "clipped", "average"),
    ],
)
def test_names_are_read_with_their_choices(text, classes, activation, pooling) -> None:
    found = named(text)
    assert found is not None
    assert (found.name, found.num_classes, found.activation, found.pooling) == ("vgg16", classes, activation, pooling)
    assert named(str(found)) == found


@pytest.mark.parametrize("text", ["vgg", "vgg16:10:20", "vgg16:relu:qcfs", "vgg16:Net", "mynet:Net", "vgg16:"])
def test_other_texts_are_no_names(text: str) -> None:
    assert named(text) is None


def test_a_module_named_like_a_network_is_still_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alexnet.py").write_text("from torch import nn\ndef Net(): return nn.Linear(2, 2)\n")
    assert isinstance(architecture("alexnet:Net").build(), nn.Linear)


@pytest.mark.parametrize("text", ["resnet50", "resnet20:", "resnet20:10:20"])
def test_unknown_names_list_the_known_ones(text: str) -> None:
    with pytest.raises(OptionError, match=r"--arch: cannot be understood \(expected module:factory, or NAME.*resnet20"):
        architecture(text)


def test_a_choice_that_a_network_lacks_is_refused() -> None:
    with pytest.raises(OptionError, match=r"resnet20 has no choice of pooling.*max"):
        architecture("resnet20:max").build()


# ---- files ----


@pytest.mark.parametrize("text", ["resnet20:qcfs", "resnet20:clipped:100", "digits_cnn:max", "resnet20"])
def test_saved_networks_are_read_without_trust(text: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = architecture(text).build().eval()
    for stream in (False, True):
        path = tmp_path / "model.pt"
        torch.save(network, path, _use_new_zipfile_serialization=not stream)
        read = load_model(path)
        image = torch.rand(2, *shape_of(text.partition(":")[0]))
        with torch.no_grad():
            assert torch.equal(read(image), network(image))


def test_nothing_else_of_the_residual_module_is_admitted(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(models.residual.residual_stage, path)
    with pytest.raises(UntrustedModelError, match="residual_stage"):
        load_model(path)


def test_a_block_with_a_method_of_its_own_is_refused(tmp_path: Path) -> None:
    network = models.resnet20()
    network[3][0].forward = 3
    torch.save(network, tmp_path / "model.pt")
    with pytest.raises(UntrustedModelError, match="forward"):
        load_model(tmp_path / "model.pt")


def test_checkpoints_with_a_prefix_are_read_by_name(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = models.resnet20(100).eval()
    # Published checkpoints written before torch 0.4.1 lack num_batches_tracked.
    state = {f"module.{name}": value for name, value in network.state_dict().items() if "tracked" not in name}
    torch.save({"state_dict": state, "best_prec1": 91.7}, tmp_path / "checkpoint.th")
    image = torch.rand(2, 3, 32, 32)
    with pytest.raises(ModelError, match=r"1 of another shape|linear\.weight \(100, 64\)"):
        as_module(tmp_path / "checkpoint.th", arch="resnet20")
    read = as_module(tmp_path / "checkpoint.th", arch="resnet20:100")
    with torch.no_grad():
        assert torch.equal(read(image), network(image))


def test_half_precision_weights_become_single_precision(tmp_path: Path) -> None:
    state = {name: value.half() for name, value in models.resnet20().state_dict().items()}
    torch.save(state, tmp_path / "half.pt")
    read = as_module(tmp_path / "half.pt", arch="resnet20")
    assert {value.dtype for value in read.state_dict().values()} == {torch.float32, torch.int64}


def test_a_network_that_does_not_fit_says_so(tmp_path: Path) -> None:
    torch.save(models.resnet20().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ModelError, match=r"linear\.weight \(10, 64\) instead of \(100, 64\)"):
        as_module(tmp_path / "weights.pt", arch="resnet20:100")
    with pytest.raises(ModelError, match=r"19 missing: activation\.threshold"):
        as_module(tmp_path / "weights.pt", arch="resnet20:qcfs")
