"""Neurons with a gradient: what they send is the definition's, and the gradient that of the surrogate."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from snnc.common.errors import OptionError
from snnc.compiler.conversion.float_simulation import spike_trains
from snnc.models.spiking import IntegrateAndFire, fire
from snnc.models.spiking.neuron import _Fire, _FusedFire


class Spike(torch.autograd.Function):
    """A step with the paper's surrogate: the derivative is 1 near the threshold, else 0; in units of the threshold."""

    @staticmethod
    def forward(context: Any, excess: Tensor, width: float) -> Tensor:
        context.save_for_backward(excess)
        context.width = width
        return (excess >= 0).to(excess.dtype)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (excess,) = context.saved_tensors
        return gradients[0] * (excess.abs() < context.width), None


def by_definition(drive: Tensor, threshold: Tensor, potential: Tensor, steps: int, lead: int, width: float) -> Tensor:
    voltage, sent = potential + torch.zeros_like(drive[0]), []
    for step in range(steps + lead):
        if step < steps:
            voltage = voltage + drive[step if len(drive) > 1 else 0]
        if step >= lead:
            sent.append(Spike.apply(voltage / threshold - 1, width) * threshold)
            voltage = voltage - sent[-1]
    return torch.stack(sent)


@st.composite
def populations(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor, int, int, float]:
    steps = draw(st.integers(1, 5))
    lead = draw(st.integers(0, steps))
    shape = draw(st.sampled_from([(2, 3), (2, 3, 2, 4), (1, 1, 3, 1)]))
    torch.manual_seed(draw(st.integers(0, 1000)))
    drive = torch.randn(draw(st.sampled_from([1, steps])), *shape, dtype=torch.float64)
    per_channel = (shape[1], *(1,) * (len(shape) - 2))
    threshold = torch.rand(per_channel, dtype=torch.float64) + 0.3
    potential = threshold * torch.rand(per_channel, dtype=torch.float64)
    return drive, threshold, potential, steps, lead, draw(st.sampled_from([0.25, 0.5, 1.0]))


@given(populations())
def test_spikes_are_those_of_the_simulation(case) -> None:
    drive, threshold, potential, steps, lead, width = case
    expected = spike_trains(drive, threshold, potential, steps, lead=lead) * threshold
    for kind in (_Fire, _FusedFire):
        assert torch.equal(kind.apply(drive, threshold, potential, steps, lead, width), expected)


@given(populations())
def test_the_gradient_is_that_of_the_surrogate(case) -> None:
    drive, threshold, potential, *rest = case
    given_values = [each.requires_grad_() for each in (drive, threshold, potential)]
    outputs = [kind(*given_values, *rest) for kind in (by_definition, _Fire.apply, _FusedFire.apply)]
    weights = torch.randn(outputs[0].shape, dtype=torch.float64)
    expected, *others = [torch.autograd.grad((each * weights).sum(), given_values) for each in outputs]
    for found in others:
        for one, other in zip(expected, found, strict=True):
            assert torch.allclose(one, other, atol=1e-12)


def test_the_surrogate_s_derivative_is_a_rectangle() -> None:
    drive = torch.linspace(-1, 3, 41, dtype=torch.float64).reshape(1, 41, 1).requires_grad_()
    sent = fire(drive, torch.full((1,), 2.0, dtype=torch.float64), torch.zeros(1, dtype=torch.float64), 1, width=0.3)
    (gradient,) = torch.autograd.grad(sent.sum(), drive)
    assert torch.equal(gradient, ((drive - 2).abs() < 0.6).double())


def test_any_order_in_memory_gives_the_same() -> None:
    drive = torch.randn(2 * 3, 4, 5, 5)
    threshold, potential = torch.full((4, 1, 1), 0.7), torch.full((4, 1, 1), 0.3)
    last = drive.contiguous(memory_format=torch.channels_last)
    plain, other = (fire(each.unflatten(0, (2, 3)), threshold, potential, 2) for each in (drive, last))
    assert torch.equal(plain, other)
    assert other.flatten(0, 1).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("given_steps", "steps"), [(2, 3), (1, 0)])
def test_steps_that_do_not_fit_are_refused(given_steps: int, steps: int) -> None:
    with pytest.raises(ValueError, match="steps of input"):
        fire(torch.zeros(given_steps, 1, 1), torch.ones(1), torch.zeros(1), steps)


@given(populations())
def test_the_rate_of_a_constant_drive_is_the_staircase(case) -> None:
    drive, threshold, potential, steps, _, _ = case
    module = IntegrateAndFire(threshold.flatten(), potential.flatten(), steps).double()
    drive = drive[:1]
    # Values on the edge of a step may fall to either side.
    level = (drive[0] * steps + module.potential.reshape(threshold.shape)) / module.threshold.reshape(threshold.shape)
    inside = (level - level.round()).abs() > 1e-9
    assert torch.allclose(module.spikes(drive).mean(0)[inside], module(drive[0])[inside])


def test_thresholds_stay_above_zero_and_potentials_below_them() -> None:
    module = IntegrateAndFire(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 1.0]), 2)
    with torch.no_grad():
        module.threshold.copy_(torch.tensor([-1.0, 4.0]))
        module.potential.copy_(torch.tensor([0.5, -1.0]))
    module.keep_in_range()
    assert bool((module.threshold > 0).all())
    assert bool(((module.potential >= 0) & (module.potential <= module.threshold)).all())


@pytest.mark.parametrize(
    ("threshold", "potential", "steps"),
    [([0.0], [0.0], 1), ([1.0], [2.0], 1), ([1.0], [-0.1], 1), ([1.0], [0.5, 0.5], 1), ([1.0], [0.5], 0)],
)
def test_neurons_out_of_range_are_refused(threshold: list[float], potential: list[float], steps: int) -> None:
    with pytest.raises(OptionError):
        IntegrateAndFire(torch.tensor(threshold), torch.tensor(potential), steps)
