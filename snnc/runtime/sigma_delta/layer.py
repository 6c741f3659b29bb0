"""One layer of sigma-delta neurons, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import torch

from snnc.program import Synapse
from snnc.program.bounds import SigmaDeltaBounds
from snnc.program.messages import ACTIVATION_LIMIT, EXACT_LIMIT, MESSAGE_LIMIT, STATE_LIMIT, UNIT
from snnc.program.sigma_delta import SigmaDeltaLayer
from snnc.program.synaptic_input import SynapticInput
from snnc.runtime.simulator.window_product import WindowProduct


@dataclass(frozen=True, eq=False)
class State:
    """What neurons hold, float64 tensors that hold integers, (samples, *layer shape).

    Attributes:
        sigma: Sum of all that arrived.
        activation: The last activation.
        residue: Change that was held back.
    """

    sigma: torch.Tensor
    activation: torch.Tensor
    residue: torch.Tensor


@dataclass
class Extremes:
    """What the neurons of a layer came to in a run, over all samples and steps, in units of sigma.

    Attributes:
        low: Least sigma plus bias, or 0 where that is above it.
        high: Largest, or 0 where that is below it.
        drive: Largest size of sigma, and of what arrived in one step; 0 where it was not looked at, since it cannot be
            too large.
        size: Largest sum of the sizes of what arrived in one step, weight times message; 0 where it does not matter.
        overflows: How often a value left the range in which all backends compute exactly.
    """

    low: int = 0
    high: int = 0
    drive: int = 0
    size: int = 0
    overflows: int = 0


class LayerSimulator:
    """Computes the steps of a layer.

    Args:
        layer: The layer.
        source_shape: Shape of what it reads.
        device: Where to compute.
        bounds: What no input can exceed; where that is within the chip's ranges, nothing is looked at.
        native: Whether torch's convolutions may be taken, which add up products alone on a CPU; else matrix products.

    Attributes:
        extremes: What was found so far.
    """

    def __init__(
        self,
        layer: SigmaDeltaLayer,
        source_shape: tuple[int, ...],
        device: torch.device,
        bounds: SigmaDeltaBounds,
        *,
        native: bool,
    ) -> None:
        self.layer = layer
        self.extremes = Extremes()
        self._proven = bounds.within
        self._device = device
        # Doubles hold every sum exactly: 16 bits of messages, 8 of weights, and up to 2^29 of them.
        self._type = torch.float32 if bounds.size.max(initial=0) < EXACT_LIMIT else torch.float64
        make = partial(_product, source_shape=source_shape, shape=layer.shape, device=device, native=native)
        self._drive = make(layer.synapse, dtype=self._type)
        self._size = None
        if layer.synapse.kind == "conv" and not bounds.within:
            self._size = make(replace(layer.synapse, weight=abs(layer.synapse.weight)), dtype=torch.float64)
        self._offset = torch.as_tensor(layer.offset, dtype=torch.float64, device=device)

    def start(self) -> State:
        """Return the state at the start of a sample."""
        nothing = torch.zeros(1, *self.layer.shape, dtype=torch.float64, device=self._device)
        return State(nothing, nothing, nothing)

    def step(self, state: State, arrived: torch.Tensor | None) -> tuple[State, torch.Tensor]:
        """Compute one step.

        Args:
            state: Of one sample, or of as many as messages arrived for.
            arrived: Messages of the source, (samples, *source shape); None: none.

        Returns:
            The state afterwards, and the messages sent, (samples, *layer shape); those of a readout are its sums.
        """
        sigma = state.sigma
        if arrived is not None:
            drive = self._drive(arrived.to(self._type)).to(torch.float64)
            sigma = sigma + drive
            if not self._proven:
                self._look_at_input(drive, sigma, arrived)
        potential = sigma + self._offset
        self._look_at_state(potential)
        if self.layer.delta_threshold is None:
            return State(sigma, state.activation, state.residue), sigma
        activation = potential.clamp(min=0)
        delta = activation - state.activation + state.residue
        sent = delta.abs() >= self.layer.held_back
        messages = torch.where(sent, torch.floor(delta / UNIT), 0.0)
        if not self._proven:
            too_long = (messages >= MESSAGE_LIMIT) | (messages < -MESSAGE_LIMIT)
            self.extremes.overflows += int(too_long.sum())
        return State(sigma, activation, torch.where(sent, 0.0, delta)), messages

    def _look_at_input(self, drive: torch.Tensor, sigma: torch.Tensor, arrived: torch.Tensor) -> None:
        largest = torch.maximum(drive.abs(), sigma.abs())
        self.extremes.drive = max(self.extremes.drive, int(largest.max()))
        wrong = largest >= STATE_LIMIT
        if self._size is not None:
            size = self._size(arrived.abs())
            self.extremes.size = max(self.extremes.size, int(size.max()))
            wrong = wrong | (size >= EXACT_LIMIT)
        self.extremes.overflows += int(wrong.sum())

    def _look_at_state(self, potential: torch.Tensor) -> None:
        self.extremes.low = min(self.extremes.low, int(potential.min()))
        self.extremes.high = max(self.extremes.high, int(potential.max()))
        if not self._proven:
            limit = STATE_LIMIT if self.layer.delta_threshold is None else ACTIVATION_LIMIT
            self.extremes.overflows += int(((potential >= limit) | (potential <= -STATE_LIMIT)).sum())


def _product(
    synapse: Synapse,
    *,
    source_shape: tuple[int, ...],
    shape: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
    native: bool,
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the linear map of a synapse, exact for whole numbers whose sums the number type holds."""
    if native:
        return SynapticInput(synapse, source_shape, shape, dtype=dtype, device=device)
    return WindowProduct(synapse, math.prod(shape), number=dtype, dtype=dtype, device=device)
