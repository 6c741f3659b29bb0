"""What is compiled: networks, data and options, and the corners of the compiler that each of them reaches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

RECOMMENDED = ("weights", "spread", "bias")
CIFAR = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


@dataclass(frozen=True)
class Case:
    """One .net file.

    Attributes:
        model: A network of networks.py, ``trained`` (the demo's, trained), ``tuned`` (fine-tuned), or ``file:NAME``,
            which files.py writes.
        options: Those of ``snnc.compile``.
        lava: Whether it is run on Lava too.
        data: ``digits``, ``floats`` (digits as floating-point numbers), or "": random, of the network's shape.
    """

    model: str
    options: dict[str, Any] = field(default_factory=dict)
    lava: bool = False
    data: str = ""


def _digits(lava: bool = False, model: str = "trained", data: str = "digits", **options: Any) -> Case:
    return Case(model, options, lava, data)


def _made(model: str, lava: bool = False, **options: Any) -> Case:
    return Case(model, options, lava)


def _steps() -> dict[str, Case]:
    return {f"digits-t{steps}": _digits(steps in (1, 8), timesteps=steps) for steps in (1, 2, 3, 4, 8, 16, 32, 64)}


def _thresholds() -> dict[str, Case]:
    methods = ("data-driven", "optimal", "max", "opt", "percentile", "mse")
    each = {f"digits-{name}": _digits(threshold=name, timesteps=4) for name in methods}
    squared = {
        f"digits-{name}-squared": _digits(threshold=name, timesteps=4, objective=2)
        for name in ("data-driven", "optimal")
    }
    shared = {
        f"digits-per-layer-{name}": _digits(threshold=name, timesteps=4, per_channel=False)
        for name in ("auto", "data-driven", "optimal", "percentile", "mse")
    }
    return {**each, **squared, **shared}


def _corrections() -> dict[str, Case]:
    single = ("weights", "thresholds", "spread", "potentials", "bias")
    each = {f"digits-corrected-{name}": _digits(timesteps=4, calibrate=name) for name in single}
    return {
        **each,
        "digits-corrected": _digits(True, timesteps=4, calibrate=RECOMMENDED),
        "digits-corrected-lead": _digits(timesteps=4, lead=2, calibrate=RECOMMENDED),
        "digits-corrected-all": _digits(timesteps=4, calibrate="all"),
        "digits-corrected-strict": _digits(timesteps=4, calibrate=RECOMMENDED, strict=True),
        "residual-corrected": _made("residual", timesteps=4, calibrate=RECOMMENDED),
        "residual-corrected-all": _made("residual", timesteps=4, lead=2, calibrate="all"),
        "branches-corrected": _made("branches", timesteps=4, calibrate=RECOMMENDED),
        "vgg-corrected": _made("vgg", timesteps=4, lead=2, calibrate=RECOMMENDED),
        "slices-corrected": _made("slices", timesteps=4, calibrate="weights,bias"),
    }


def _chips() -> dict[str, Case]:
    return {
        "digits-lead-1": _digits(timesteps=4, lead=1),
        "digits-lead-4": _digits(True, timesteps=4, lead=4),
        "digits-strict": _digits(timesteps=8, strict=True),
        "digits-loihi1": _digits(True, timesteps=8, target="loihi1"),
        "digits-loihi1-corrected": _digits(timesteps=4, target="loihi1", lead=2, calibrate=RECOMMENDED),
        "digits-loihi2": _digits(timesteps=8, target="loihi2"),
        "digits-normalised": _digits(model="chain", mean=0.3, std=0.4, timesteps=8),
        "digits-floats": _digits(model="chain", data="floats", timesteps=8),
        "digits-few-samples": _digits(timesteps=8, calibration_samples=17),
        "residual-loihi1": _made("residual", target="loihi1", timesteps=8),
        "residual-strict": _made("residual", strict=True, timesteps=4),
        "residual-lead": _made("residual", True, lead=2, timesteps=4),
        "wide-loihi1": _made("wide", target="loihi1", timesteps=4),
        "wide-loihi1-oversize": _made("wide", target="loihi1", timesteps=4, allow_oversize=True),
    }


def _networks() -> dict[str, Case]:
    pools = ("or", "exact", "avg", "auto")
    maxima = {f"{model}-{how}": _made(model, max_pool=how) for model in ("residual", "overlapping") for how in pools}
    images = {f"lenet-max-{how}": _made("lenet-max", how == "or", max_pool=how, timesteps=4) for how in pools}
    return {
        **maxima,
        **images,
        "branches": _made("branches", True, timesteps=8),
        "branches-lead": _made("branches", timesteps=8, lead=3),
        "chain": _digits(model="chain", timesteps=8),
        "dense": _made("dense", True, timesteps=8),
        "dense-normalised": _made("dense", timesteps=8, mean=0.5, std=0.25, threshold="optimal"),
        "doubled": _made("doubled", True, timesteps=8),
        "doubled-lead": _made("doubled", timesteps=8, lead=4, threshold="data-driven"),
        "grouped": _made("grouped", True, timesteps=8),
        "grouped-normalised": _made("grouped", timesteps=8, mean=(0.4, 0.6), std=(0.2, 0.3)),
        "lenet": _made("lenet", timesteps=8),
        "lenet-per-layer": _made("lenet", timesteps=16, per_channel=False),
        "pooled": _made("pooled", True, timesteps=8),
        "pooled-normalised": _made("pooled", timesteps=8, mean=(0.4, 0.6), std=(0.2, 0.3)),
        "slices": _made("slices", True, timesteps=8),
        "slices-lead": _made("slices", timesteps=4, lead=2),
        "vgg": _made("vgg", timesteps=4),
        "vgg-normalised": _made("vgg", timesteps=4, **CIFAR),
    }


def _learned() -> dict[str, Case]:
    return {
        "bounded": _made("bounded", True, threshold="learned", timesteps=8),
        "bounded-chosen": _made("bounded", timesteps=8),
        "bounded-corrected": _made("bounded", threshold="learned", timesteps=4, calibrate=RECOMMENDED),
        "clipped-digits": _digits(model="clipped-digits", threshold="learned", timesteps=8),
        "clipped-max-or": _digits(model="clipped-max", threshold="learned", timesteps=8, max_pool="or"),
        "clipped-max-exact": _digits(model="clipped-max", threshold="learned", timesteps=8, max_pool="exact"),
        "qcfs-digits-t4": _digits(model="qcfs-digits", threshold="learned", timesteps=4),
        "qcfs-digits-t8": _digits(True, model="qcfs-digits", threshold="learned", timesteps=8),
        "qcfs-digits-chosen": _digits(model="qcfs-digits", threshold="mse", timesteps=8),
        "tuned": _digits(True, model="tuned", threshold="learned", timesteps=2),
        "tuned-t4": _digits(model="tuned", threshold="learned", timesteps=4, lead=1),
    }


def _sigma_delta() -> dict[str, Case]:
    return {
        "sdnn-digits": _digits(True, neuron="sdnn"),
        "sdnn-digits-threshold": _digits(neuron="sdnn", delta_threshold=1),
        "sdnn-chain": _digits(model="chain", neuron="sdnn", mean=0.3, std=0.4),
        "sdnn-dense": _made("dense", True, neuron="sdnn"),
        "sdnn-grouped": _made("grouped", neuron="sdnn", delta_threshold=2),
        "sdnn-lenet": _made("lenet", neuron="sdnn"),
        "sdnn-lenet-avg": _made("lenet-max", neuron="sdnn", max_pool="avg"),
        "sdnn-vgg": _made("vgg", neuron="sdnn", **CIFAR),
        "sdnn-wide-oversize": _made("wide", neuron="sdnn", allow_oversize=True),
    }


def _files() -> dict[str, Case]:
    own = {"arch": "digits_cnn"}
    return {
        "file-saved": _digits(model="file:saved.pt", timesteps=4),
        "file-state": _digits(model="file:state.pt", timesteps=4, **own),
        "file-checkpoint": _digits(model="file:checkpoint.pt", timesteps=4, **own),
        "file-safetensors": _digits(model="file:weights.safetensors", timesteps=4, **own),
        "file-exported": _digits(model="file:exported.pt2", timesteps=4),
        "file-exported-branches": Case("file:branches.pt2", {"timesteps": 4}),
        "file-exported-residual": Case("file:residual.pt2", {"timesteps": 4, "max_pool": "exact"}),
        "file-torchscript": _digits(model="file:scripted.pt", timesteps=4, trust=True),
        "file-onnx": _digits(model="file:digits.onnx", timesteps=4),
        "file-onnx-branches": Case("file:branches.onnx", {"timesteps": 4}),
        "file-onnx-channels-last": Case("file:keras.onnx", {"timesteps": 4}),
        "file-nir": Case("file:others.nir", {"timesteps": 8, "threshold": "learned"}),
        "file-nir-branches": Case("file:branched.nir", {"timesteps": 8}),
    }


def _shared() -> dict[str, Case]:
    published = {"arch": "resnet20", "calibration_samples": 64, **CIFAR}
    return {
        "resnet20": Case("file:resnet20.th", {"timesteps": 4, **published}),
        "resnet20-t16": Case("file:resnet20.th", {"timesteps": 16, "lead": 4, "threshold": "optimal", **published}),
        "resnet20-corrected": Case(
            "file:resnet20.th", {"timesteps": 4, "lead": 2, "calibrate": RECOMMENDED, **published}
        ),
        "nir-sinabs": Case("file:sinabs.nir", {"timesteps": 8, "threshold": "learned"}),
    }


CASES: dict[str, Case] = {
    **_steps(),
    **_thresholds(),
    **_corrections(),
    **_chips(),
    **_networks(),
    **_learned(),
    **_sigma_delta(),
    **_files(),
    **_shared(),
}
