"""Activations: ReLU, those that carry a threshold, softmax.

Activations with a threshold are recognised by what they offer and checked by what they compute. The compiler imports
no models. Whatever module says by an attribute of its class, ``snnc_activation``, that it is a truncated ReLU or a
staircase, and has the ``threshold`` (and ``steps``) of one, is taken at its word only as far as the word can be
checked: its outputs on a probe have to be those of the operation that stands for it.
"""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from torch import nn

from snnc.common.arrays import FloatArray
from snnc.compiler.frontend.operations.call import Call
from snnc.compiler.frontend.operations.table import Operator, advise
from snnc.compiler.ir import IntegrateAndFire, ReLU, Softmax

advise(
    "train with ReLU instead",
    "celu",
    "elu",
    "gelu",
    "glu",
    "hardshrink",
    "hardswish",
    "leakyrelu",
    "logsigmoid",
    "mish",
    "prelu",
    "rrelu",
    "selu",
    "silu",
    "softplus",
    "softshrink",
    "softsign",
    "tanhshrink",
    "threshold",
)
advise(
    "train with ReLU instead, or with snnc.models.ClippedReLU, which has an upper bound too",
    "clamp",
    "clip",
    "hardtanh",
    "minimum",
    "relu6",
)
advise(
    "train with ReLU instead, and leave a last one off: it does not change which class is the largest",
    "hardsigmoid",
    "sigmoid",
    "tanh",
)


@Operator(
    modules=(nn.ReLU,),
    functions=(F.relu, F.relu_, torch.relu),
    methods=("relu", "relu_"),
    aten=("relu", "relu_"),
    onnx=("Relu", "Clip"),
    bounds=(0, math.inf),
    listed=("ReLU",),
    conditions="in place too; one instance used several times. ONNX: Clip from 0 without an upper bound",
)
def relu(call: Call) -> ReLU:
    """Build a ReLU."""
    return ReLU()


CLIPPED_RELU, QCFS, INTEGRATE_AND_FIRE = "clipped_relu", "qcfs", "integrate_and_fire"
# The protocol's attribute; see snnc.models.activations.
MARK = "snnc_activation"
# Probe values from -2 to 3 thresholds; odd in number and shifted, so that none lies on the edge of a step.
_PROBES = 4099
_PROBE_SHIFT = math.sqrt(2) / 1e4


def is_activation(module: nn.Module) -> bool:
    """Say whether a module's class says that it is an activation with a threshold."""
    # Of the class: an attribute of an instance may come out of a file that nobody trusts.
    return getattr(type(module), MARK, None) is not None


@Operator(
    recognises=is_activation,
    listed=("ClippedReLU", "QCFS"),
    conditions="read without `--trust`; their thresholds are there for `--threshold learned`; so are "
    "[others](#activations-with-a-threshold)",
)
def thresholded(call: Call) -> ReLU:
    """Build an activation with a threshold.

    Raises:
        UnsupportedError: It is of a kind that is not known, its threshold or steps cannot be used, or it computes
            something else than its kind says.
    """
    module = call.module
    assert module is not None
    kind, name = getattr(type(module), MARK), type(module).__name__
    if kind == INTEGRATE_AND_FIRE:
        operation: ReLU = _integrate_and_fire(module, call)
    elif kind in (CLIPPED_RELU, QCFS):
        operation = ReLU(_threshold(module, call), _steps(module, call) if kind == QCFS else None)
    else:
        raise call.unsupported(
            f"{name} has the unknown {MARK} {kind!r}", f"{CLIPPED_RELU}, {QCFS} or {INTEGRATE_AND_FIRE}"
        )
    if not _computes(module, operation):
        raise call.unsupported(f"{name} does not compute what its {MARK} {kind!r} says")
    return operation


def _threshold(module: nn.Module, call: Call) -> float:
    threshold = getattr(module, "threshold", None)
    if not isinstance(threshold, torch.Tensor) or threshold.numel() != 1:
        raise call.unsupported(f"{type(module).__name__} has no threshold that is one number", "a tensor of one value")
    value = float(threshold)
    if not 0 < value < math.inf:
        raise call.unsupported(
            f"the threshold of {type(module).__name__} is {value:g}", "a number above 0; train it again from another"
        )
    return value


def _steps(module: nn.Module, call: Call) -> int:
    steps = getattr(module, "steps", None)
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise call.unsupported(f"{type(module).__name__} has {steps!r} steps", "a whole number from 1 on")
    return steps


def _integrate_and_fire(module: nn.Module, call: Call) -> IntegrateAndFire:
    thresholds, potentials = (_channels(module, name, call) for name in ("threshold", "potential"))
    if not bool((thresholds > 0).all()) or not bool(((potentials >= 0) & (potentials <= thresholds)).all()):
        raise call.unsupported(
            f"{type(module).__name__} has thresholds or potentials out of range",
            "thresholds above 0, and potentials from 0 to the threshold",
        )
    steps = None if getattr(module, "steps", None) is None else _steps(module, call)
    return IntegrateAndFire(thresholds=thresholds, potentials=potentials, timesteps=steps)


def _channels(module: nn.Module, name: str, call: Call) -> FloatArray:
    """Return one finite number for each channel."""
    values = getattr(module, name, None)
    channels = call.shapes[0][1]
    if not isinstance(values, torch.Tensor) or values.shape != (channels,) or not bool(values.isfinite().all()):
        raise call.unsupported(
            f"{type(module).__name__} has no {name} of finite numbers",
            f"a tensor of {channels} values, for as many channels",
        )
    found: FloatArray = values.detach().cpu().double().numpy()
    return found


def _computes(module: nn.Module, operation: ReLU) -> bool:
    levels = torch.linspace(-2, 3, _PROBES, dtype=torch.float64) + _PROBE_SHIFT
    if isinstance(operation, IntegrateAndFire):
        probe = levels[:, None] * torch.from_numpy(operation.thresholds)
    else:
        assert operation.threshold is not None
        probe = levels * operation.threshold
    with torch.no_grad():
        found = copy.deepcopy(module).double().eval()(probe.clone())
    return isinstance(found, torch.Tensor) and torch.allclose(found, operation.apply(probe), rtol=1e-9, atol=0)


@Operator(
    modules=(nn.Softmax, nn.Softmax2d),
    functions=(F.softmax, torch.softmax),
    methods=("softmax",),
    aten=("softmax", "_softmax"),
    onnx=("Softmax",),
    conditions="at the output, over axis 1, of classes or of an image's channels: taken off, with a note; the readout "
    "gives logits",
)
def softmax(call: Call, dim: object = None) -> Softmax:
    """Build softmax over the classes."""
    return _softmax(call, dim, logarithm=False)


@Operator(
    modules=(nn.LogSoftmax,),
    functions=(F.log_softmax, torch.log_softmax),
    methods=("log_softmax",),
    aten=("log_softmax", "_log_softmax"),
    onnx=("LogSoftmax",),
    conditions="the same",
)
def log_softmax(call: Call, dim: object = None) -> Softmax:
    """Build the logarithm of softmax over the classes."""
    return _softmax(call, dim, logarithm=True)


def _softmax(call: Call, dim: object, *, logarithm: bool) -> Softmax:
    axes = len(call.shapes[0])
    # Without an axis, PyTorch takes axis 1 of two and of four.
    if axes not in (2, 4) or dim not in (1, 1 - axes, None):
        raise call.unsupported(f"softmax over axis {dim} of shape {call.shapes[0]}", "the classes' axis, 1")
    return Softmax(logarithm)
