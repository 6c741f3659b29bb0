"""Stands in for Intel's lava-loihi: adapters that take a step each, on Lava's CPU simulator.

They show that what drives a board runs, and that it finds its way through delays; not that a board does the same.
"""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
from lava.magma.core import run_configs
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.utils import loihi, profiler


class Adapter(AbstractProcess):
    def __init__(self, shape, num_message_bits=0, compression=None):
        super().__init__(shape=shape)
        self.inp, self.out = InPort(shape=shape), OutPort(shape=shape)


class PyToNxAdapter(Adapter):
    pass


class PyToN3ConvAdapter(Adapter):
    pass


class NxToPyAdapter(Adapter):
    pass


class AdapterModel(PyLoihiProcessModel):
    inp = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params):
        super().__init__(proc_params)
        self.held = np.zeros(proc_params["shape"], np.int32)

    def run_spk(self):
        self.out.send(self.held)
        self.held = self.inp.recv()


@implements(proc=PyToNxAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyToNxModel(AdapterModel):
    pass


@implements(proc=PyToN3ConvAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyToN3ConvModel(AdapterModel):
    pass


@implements(proc=NxToPyAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class NxToPyModel(AdapterModel):
    pass


class Read(AbstractProcess):
    def __init__(self, shape, interval, offset):
        super().__init__(shape=shape, interval=interval, offset=offset)
        self.state, self.out = RefPort(shape), OutPort(shape)

    def connect_var(self, var):
        self.state.connect_var(var)


@implements(proc=Read, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class ReadModel(PyLoihiProcessModel):
    state = LavaPyType(PyRefPort.VEC_DENSE, np.int32)
    out = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params):
        super().__init__(proc_params)
        self.interval, self.offset = proc_params["interval"], proc_params["offset"]
        self.value = np.zeros(proc_params["shape"], np.int32)

    def run_spk(self):
        self.out.send(self.value)

    def post_guard(self):
        return (self.time_step - 1) % self.interval == self.offset

    def run_post_mgmt(self):
        # 24 bits of a chip's word.
        self.value = self.state.read() & 0xFFFFFF


class Probes:
    """Measures what can be checked, and no energy of some kinds."""

    execution_time = np.full(10, 0.001)
    energy = 0.5
    power = 2.0

    def execution_time_probe(self, num_steps):
        pass

    def energy_probe(self, num_steps):
        pass

    @property
    def static_energy(self):
        raise RuntimeError("not on this board")

    dynamic_energy = static_energy


def install():
    """Makes Lava find all this where lava-loihi would be."""
    package, spike, state = (ModuleType(f"lava.proc.embedded_io{name}") for name in ("", ".spike", ".state"))
    for each in (PyToNxAdapter, PyToN3ConvAdapter, NxToPyAdapter):
        setattr(spike, each.__name__, each)
    state.Read = Read
    package.spike, package.state, package.__path__ = spike, state, []
    for module in (package, spike, state):
        sys.modules[module.__name__] = module
    run_configs.Loihi2HwCfg = lambda: run_configs.Loihi2SimCfg(select_tag="fixed_pt")
    loihi.is_installed = lambda: True
    profiler.Profiler.init = staticmethod(lambda _: Probes())
