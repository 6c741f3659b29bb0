"""Spiking networks in torch, to be trained: neurons with a gradient, and networks made of them."""

from __future__ import annotations

from snnc.models.spiking.integrate_and_fire import IntegrateAndFire
from snnc.models.spiking.joins import Concatenation, Sum
from snnc.models.spiking.network import INPUT, SpikingNetwork
from snnc.models.spiking.neuron import SURROGATE_WIDTH, fire

__all__ = ["INPUT", "SURROGATE_WIDTH", "Concatenation", "IntegrateAndFire", "SpikingNetwork", "Sum", "fire"]
