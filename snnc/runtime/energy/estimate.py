"""The energy of a run, and of the ANN, by every model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnc.common.errors import OptionError, UnsupportedError
from snnc.program import CompiledNetwork
from snnc.runtime.energy.models import ENERGY_MODELS, EnergyModel, ann_energy, snn_energy
from snnc.runtime.energy.operations import OperationCounts


def count_macs(module: nn.Module, input_shape: tuple[int, ...]) -> dict[str, int]:
    """Count the multiply-accumulates of each convolution and linear layer, for one input.

    One image of zeros runs through the module. Each output value of a layer costs one multiply-accumulate per weight
    that reaches it; weights that meet zero padding count, as the convention is. Biases, batch normalisation (which
    folds into the weights), pooling and activations count nothing. Operations called as functions
    (``torch.nn.functional.conv2d`` with weights that no module owns, ``torch.matmul``) cannot be seen.

    Args:
        module: A network of ``nn.Conv2d`` and ``nn.Linear`` layers; any other layer may be in it that has no
            weights of two dimensions or more. It is left in the mode it was in, submodule by submodule.
        input_shape: Shape of one input without the batch dimension, such as ``(3, 32, 32)``.

    Returns:
        Multiply-accumulates by qualified module name, in the order of ``module.named_modules()``; a layer that is
        run several times counts each time, one that is not run counts 0. The sum is the network's total.

    Raises:
        UnsupportedError: A layer has weights whose operations this function cannot count.
        OptionError: The module cannot take an input of that shape.
    """
    counts: dict[str, int] = {}
    handles = []
    modes = [(part, part.training) for part in module.modules()]
    try:
        for name, part in module.named_modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                counts[name] = 0
                handles.append(part.register_forward_hook(_counter(counts, name)))
            elif any(parameter.ndim >= 2 for parameter in part.parameters(recurse=False)):
                raise UnsupportedError(
                    "cannot count the operations of this layer",
                    where=name or "the network itself",
                    expected="weights in Conv2d and Linear layers only",
                    found=type(part).__name__,
                )
        module.eval()
        _run(module, input_shape)
    finally:
        for handle in handles:
            handle.remove()
        for part, training in modes:
            part.training = training
    return counts


def _counter(counts: dict[str, int], name: str) -> Callable[[nn.Module, tuple[Any, ...], Tensor], None]:
    def hook(part: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
        # A row of the weight holds all weights that reach one output value, groups already taken into account.
        weight = part.get_parameter("weight")
        counts[name] += output.numel() * weight[0].numel()

    return hook


def _run(module: nn.Module, input_shape: tuple[int, ...]) -> None:
    parameter = next(module.parameters(), None)
    image = torch.zeros(
        (1, *input_shape),
        dtype=torch.float32 if parameter is None else parameter.dtype,
        device="cpu" if parameter is None else parameter.device,
    )
    try:
        with torch.no_grad():
            module(image)
    # A shape that does not fit shows as RuntimeError in the layers, as ValueError or IndexError in batch
    # normalisation and reshapes.
    except (RuntimeError, ValueError, IndexError) as error:
        raise OptionError(
            "the network does not take an input of this shape",
            where="input_shape",
            found=str(tuple(input_shape)),
            advice=f"torch says: {error}",
        ) from error


@dataclass(frozen=True)
class EnergyEstimate:
    """Energy for one sample by one model.

    Attributes:
        model: The model.
        snn: Joules of the spiking network; None where it was not run.
        ann: Joules of the ANN; None where the model does not define it.
    """

    model: EnergyModel
    snn: float | None
    ann: float | None


def estimate_energy(program: CompiledNetwork, counts: OperationCounts | None) -> tuple[EnergyEstimate, ...]:
    """Estimate the energy for one sample by every model.

    Args:
        program: The program, which knows the ANN's operations.
        counts: Operations of a run; None: only the ANN's energy is estimated.
    """
    macs = sum(layer.macs for layer in program.ann)
    return tuple(
        EnergyEstimate(model, None if counts is None else _snn(model, counts), ann_energy(model, macs=macs))
        for model in ENERGY_MODELS
    )


def _snn(model: EnergyModel, counts: OperationCounts) -> float:
    return snn_energy(
        model,
        synaptic_operations=counts.synaptic_total / counts.samples,
        neuron_updates_active=counts.active_updates / counts.samples,
        neuron_updates_inactive=counts.inactive_updates / counts.samples,
    )


def layer_energies(model: EnergyModel, program: CompiledNetwork, counts: OperationCounts) -> tuple[float, ...]:
    """Estimate what each layer takes of the spiking network's energy.

    Args:
        model: The energy model.
        program: The program.
        counts: Operations of a run of all T steps.

    Returns:
        Joules for one sample, for the synapses into each layer and the updates of its neurons, readout included; their
        sum is that of :func:`estimate_energy`.
    """
    window = program.timesteps + program.lead
    spikes = (*counts.spikes, 0)
    return tuple(
        snn_energy(
            model,
            synaptic_operations=counts.synaptic[index] / counts.samples,
            neuron_updates_active=spikes[index] / counts.samples,
            neuron_updates_inactive=layer.neurons * window - spikes[index] / counts.samples,
        )
        for index, layer in enumerate(program.layers)
    )
