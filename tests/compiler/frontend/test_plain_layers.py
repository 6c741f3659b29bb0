"""Modules that are wrapped, or whose weights are computed of others: they compile, or one line says what to do."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from support.networks import assert_equal_values, run_double
from support.tracing import output_of
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from snnc.common.errors import ModelError, UnsupportedError
from snnc.compiler.frontend import trace
from snnc.compiler.frontend.files.load import load_model
from snnc.compiler.ir import Conv2d

IMAGE = (2, 4, 4)


class Doubled(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return 2 * weight


class Broken(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        if self.training:
            return weight
        raise RuntimeError("no weight today")


def network(change: Callable[[nn.Module], object]) -> nn.Sequential:
    torch.manual_seed(0)
    conv = nn.Conv2d(2, 4, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the old weight_norm is deprecated
        change(conv)
    return nn.Sequential(conv, nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))


CHANGES = {
    "weight_norm": weight_norm,
    "spectral_norm": spectral_norm,
    "new weight_norm": parametrizations.weight_norm,
    "new spectral_norm": parametrizations.spectral_norm,
    "pruned": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
    "pruned twice": lambda layer: [prune.random_unstructured(layer, "weight", 0.3) for _ in range(2)],
    "own": lambda layer: parametrize.register_parametrization(layer, "weight", Doubled()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_weights_that_are_computed_are_taken_as_they_are_at_inference(change: Callable[[nn.Module], object]) -> None:
    module = network(change)
    module(torch.randn(4, *IMAGE))  # as training does: hooks leave tensors with a history behind
    module.eval()
    names = list(module.state_dict())
    graph = trace(module, IMAGE)
    batch = torch.randn(5, *IMAGE, generator=torch.Generator().manual_seed(1))
    assert list(module.state_dict()) == names
    with torch.no_grad():
        assert torch.allclose(output_of(graph, batch), module(batch), atol=1e-5)


def test_pruned_weights_are_zero() -> None:
    (conv,) = trace(network(CHANGES["pruned"]).eval(), IMAGE).of_kind(Conv2d)
    assert (conv.op.weight == 0).sum() == conv.op.weight.size // 2


def test_a_parametrisation_that_fails_is_told_with_the_way_out() -> None:
    module = network(lambda layer: parametrize.register_parametrization(layer, "weight", Broken()))
    with pytest.raises(ModelError, match=r"^0: the weights .*no weight today; .*remove_parametrizations"):
        trace(module.eval(), IMAGE)


def test_a_file_with_pruning_masks_says_how_to_save_it(tmp_path: Path) -> None:
    module = network(CHANGES["pruned"])
    torch.save(module, tmp_path / "m.pt")
    with pytest.raises(ModelError, match=r"torch\.nn\.utils\.prune.*prune\.remove"):
        load_model(tmp_path / "m.pt")
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ModelError, match=r"0\.weight_orig.*pruned or normalised.*prune\.remove"):
        load_model(tmp_path / "weights.pt", arch=lambda: network(lambda layer: None))
    assert load_model(tmp_path / "weights.pt", arch=lambda: network(CHANGES["pruned"]))


def test_compiled_and_parallel_modules_are_what_they_wrap(tmp_path: Path) -> None:
    plain = network(lambda layer: None).eval()
    inner = nn.Sequential(torch.compile(plain[:3]), *plain[3:])
    batch = torch.randn(5, *IMAGE, dtype=torch.float64)
    expected = run_double(plain, batch)
    for wrapped in (torch.compile(plain), nn.DataParallel(torch.compile(plain)), inner):
        assert_equal_values(output_of(trace(wrapped, IMAGE), batch), expected, 1e-12)
    torch.save(torch.compile(plain).state_dict(), tmp_path / "weights.pt")
    loaded = load_model(tmp_path / "weights.pt", arch=lambda: network(lambda layer: None))
    assert_equal_values(run_double(loaded, batch), expected, 1e-12)


def test_a_network_of_quantisation_aware_training_is_refused_with_the_way_out() -> None:
    module = network(lambda layer: None).train()
    module.qconfig = torch.ao.quantization.get_default_qat_qconfig("fbgemm")
    prepared = torch.ao.quantization.prepare_qat(module)
    with pytest.raises(UnsupportedError, match=r"quantisation-aware training.* more\); compile the network as it was"):
        trace(prepared, IMAGE)


class Optional(nn.Module):
    """What need not be given has its default."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None, *more: object, scale: float = 2.0, **rest):
        assert not more and not rest
        x = self.fc(x if mask is None else x * mask)
        return x.relu() if scale > 1 else x


def test_arguments_that_need_not_be_given_have_their_defaults() -> None:
    module, batch = Optional(), torch.randn(5, 3)
    with torch.no_grad():
        assert torch.allclose(output_of(trace(module, (3,)), batch), module(batch), atol=1e-6)


class Two(nn.Module):
    def forward(self, image: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
        return image + depth


def test_several_inputs_are_refused_by_name_with_the_way_out() -> None:
    with pytest.raises(UnsupportedError, match=r"several inputs .*found image, depth\); give them as one: .*slices"):
        trace(Two(), (3,))
