"""The options of a compilation: the one place that says what there is, what is usual, and what goes with what."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from snnc.common.errors import OptionError, TargetError
from snnc.common.option_kinds import ARCHITECTURE, Recorded, as_numbers
from snnc.common.options import Option, check_choices, given, inherited, option, recorded
from snnc.common.signatures import documented
from snnc.compiler.conversion.calibration.corrections import ALL, CORRECTIONS, named_corrections
from snnc.compiler.conversion.methods import LEARNED, METHODS, searches
from snnc.program.messages import DELTA_THRESHOLD_MAXIMUM, MESSAGE_BITS, STATE_BITS, WEIGHT_BITS, holds_messages
from snnc.program.targets import INTEGRATE_AND_FIRE, SIGMA_DELTA, Neuron, check_neuron, get_target, target_names
from snnc.program.verdict import Task
from snnc.runtime.options import TaskOptions

if TYPE_CHECKING:
    from snnc.program.targets import Target

__all__ = [
    "AUTOMATIC",
    "CALIBRATION_SAMPLES",
    "ActivationOptions",
    "CompileOptions",
    "MaxPool",
    "ModelFileOptions",
    "Neuron",
    "NormalisationOptions",
    "ThresholdOptions",
    "format_names",
]

# Help names the formats of model files and must not wait for torch, so they are read in the files.
_FILES = Path(__file__).parent / "frontend" / "files"
_DECLARED = re.compile(r'^FORMAT = Format\(\s*"([^"]+)"', re.MULTILINE)


def format_names() -> tuple[str, ...]:
    """Return the names of the formats that :func:`snnc.compiler.frontend.files.load.load_model` reads: torch first."""
    found = (name for file in _FILES.rglob("*.py") for name in _DECLARED.findall(file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda name: (not name.startswith("torch."), name.lower())))


AUTOMATIC = "auto"
# Samples that a network is calibrated on: seconds for networks of usual size, and more change little.
CALIBRATION_SAMPLES = 512
USUAL_TIMESTEPS, TIMESTEPS_MAXIMUM = 8, 1024

MaxPool = Literal["auto", "or", "exact", "avg"]

# Groups of options in the help of commands.
CONVERSION, CORRECTING, CHIP, DATA, MODEL = "Conversion", "Accuracy", "Chip and neurons", "Data", "Model file"


@documented
@dataclass(frozen=True, kw_only=True)
class ModelFileOptions:
    """How a model file is read."""

    arch: str | None = option(
        None,
        metavar="NAME|MODULE:FACTORY",
        panel=MODEL,
        kind=ARCHITECTURE,
        help="What makes the network, for a model file that holds a state_dict only: one of snnc's own, such as "
        "``resnet20``, or ``vgg16:100:qcfs:max`` with what it was trained with; or a callable such as ``mynet:Net``, "
        "whose module is looked for in the working directory first, and whose code is run.",
    )
    trust: bool = option(
        False,
        panel=MODEL,
        file="it lets model files run code, which a snnc.toml beside them must not allow",
        help="Read a model file even where that runs code that the file names: only for files from people you trust.",
    )


@documented
@dataclass(frozen=True, kw_only=True)
class NormalisationOptions:
    """What was done to the data in training."""

    mean: float | Sequence[float] | None = option(
        None,
        metavar="X[,X,X]",
        panel=DATA,
        shapes=True,
        usual="what snnc train keeps with a model, else 0",
        help="What was subtracted from the data in training: one number, or one for each channel. Images of 8 bits "
        "count from 0 to 1.",
    )
    std: float | Sequence[float] | None = option(
        None,
        metavar="X[,X,X]",
        panel=DATA,
        shapes=True,
        usual="what snnc train keeps with a model, else 1",
        help="What the data were divided by after that.",
    )

    @property
    def means(self) -> tuple[float, ...]:
        """What was subtracted: one number, or one for each channel."""
        return (0.0,) if self.mean is None else as_numbers(self.mean, "mean")

    @property
    def stds(self) -> tuple[float, ...]:
        """What was divided by: one number, or one for each channel."""
        return (1.0,) if self.std is None else as_numbers(self.std, "std")


@documented
@dataclass(frozen=True, kw_only=True)
class _ThresholdChoice:
    """How thresholds are chosen."""

    timesteps: int | None = option(
        None,
        flags=("-T", "--timesteps"),
        metavar="T",
        panel=CONVERSION,
        shapes=True,
        only=INTEGRATE_AND_FIRE,
        usual="8; sigma-delta neurons take as many as there are layers",
        help=f"T, the steps that each sample is shown for, 1 to {TIMESTEPS_MAXIMUM}: more are more exact and slower.",
    )
    threshold: str = option(
        AUTOMATIC,
        names=lambda: (AUTOMATIC, *METHODS.names, LEARNED),
        panel=CONVERSION,
        shapes=True,
        only=INTEGRATE_AND_FIRE,
        help="How thresholds are chosen: ``auto`` (the best of several ways, tried on the calibration data with this "
        f"T, lead and corrections), {METHODS.described()}, or ``learned`` (a network trained with ``ClippedReLU`` or "
        "``QCFS``, or by ``snnc finetune``, carries them).",
    )
    per_channel: bool = option(
        True,
        flags=("--per-channel/--per-layer",),
        panel=CONVERSION,
        shapes=True,
        only=INTEGRATE_AND_FIRE,
        help="One threshold for each channel, or for each layer; learned ones are as they were trained.",
    )
    objective: Literal[1, 2] = option(
        1,
        panel=CONVERSION,
        shapes=True,
        only=INTEGRATE_AND_FIRE,
        wrong="is out of range",
        help="m, for thresholds that make the sum of |activation - rate| ** m least, such as ``data-driven`` ones. "
        "2 clips less, which is often better from T = 4 on with one threshold for each channel; ``auto`` tries "
        "both.",
    )

    @property
    def steps(self) -> int:
        """T of neurons that spike."""
        return USUAL_TIMESTEPS if self.timesteps is None else self.timesteps


@documented
@dataclass(frozen=True, kw_only=True)
class _CalibrationSamples:
    """What is drawn of the calibration data."""

    calibration_samples: int = option(
        CALIBRATION_SAMPLES,
        flags=("--calib-samples",),
        metavar="N",
        panel=DATA,
        help="How many samples to draw of the calibration data, as many of each class.",
    )
    unit: float | None = option(
        None,
        metavar="X",
        panel=DATA,
        shapes=True,
        usual="what the data say, else 1/255",
        help="What one step of 8-bit data is worth that say nothing of it, such as 1 for counts; files keep it for "
        "later commands.",
    )


@documented
@dataclass(frozen=True, kw_only=True)
class ActivationOptions(ModelFileOptions, _CalibrationSamples):
    """How a model's activations on calibration data are looked at."""


@documented
@dataclass(frozen=True, kw_only=True)
class ThresholdOptions(ActivationOptions, NormalisationOptions, _ThresholdChoice):
    """What decides thresholds, for a look at them: equal to the options of a compilation of these names."""


@documented
@dataclass(frozen=True, kw_only=True)
class _Conversion(_ThresholdChoice):
    """What shapes a conversion beside its thresholds."""

    calibrate: str | Sequence[str] = option(
        (),
        metavar="NAMES",
        panel=CORRECTING,
        shapes=True,
        only=INTEGRATE_AND_FIRE,
        usual="none",
        help="Corrections of the layers on the calibration data, which need no labels: "
        f"{CORRECTIONS.described()}; several with commas between them. ``weights,spread,bias`` is a good choice; "
        "``all`` stands for every one, and takes twice the time.",
    )
    lead: int = option(
        0,
        metavar="K",
        panel=CORRECTING,
        shapes=True,
        silent=True,
        only=INTEGRATE_AND_FIRE,
        help="Steps that each layer integrates its input before it may fire, 0 to T: more accurate at the same T, but "
        "a sample takes T + K + 1 steps and its result K more for each layer. T / 2 is a good choice.",
    )
    max_pool: MaxPool = option(
        AUTOMATIC,
        panel=CONVERSION,
        shapes=True,
        wrong="unknown way of maximum pooling",
        help="How maximum pooling is written for spikes: ``or`` (a neuron for each window, which fires when any of its "
        "inputs does), ``exact`` (max(a, b) = a + relu(b - a): several neurons and layers), ``avg`` (average pooling "
        "instead), or ``auto`` (for each the better of ``or`` and ``exact`` on the calibration data). Sigma-delta "
        "neurons have none but ``avg``.",
    )
    target: str = option(
        "loihi",
        metavar="|".join(target_names()),
        panel=CHIP,
        shapes=True,
        help="The chip; ``loihi`` is ``loihi2``.",
    )
    neuron: Neuron = option(
        INTEGRATE_AND_FIRE,
        panel=CHIP,
        shapes=True,
        silent=True,
        help="The kind of neuron: ``if`` (integrate-and-fire), or ``sdnn`` (sigma-delta: for chains of convolutions "
        "and dense layers on Loihi 2; Lava's netx runs the file with nothing attached). ``snm``, which the float "
        "simulation has, has no counterpart on the chip and is refused.",
    )
    delta_threshold: int = option(
        0,
        metavar="N",
        panel=CHIP,
        shapes=True,
        only=SIGMA_DELTA,
        help="For sigma-delta neurons: hold back changes of an activation smaller than N times 64 units of a message, "
        f"0 to {DELTA_THRESHOLD_MAXIMUM}: fewer messages, and less exact.",
    )
    strict: bool = option(
        False,
        panel=CHIP,
        shapes=True,
        silent=True,
        only=INTEGRATE_AND_FIRE,
        help="Compile only what is proven not to overflow, whatever the input: layers get smaller weights where that "
        "needs it, and a network that cannot be proven with enough of them is refused. Else a layer may rest on the "
        "range of the calibration data, with a margin.",
    )
    allow_oversize: bool = option(
        False,
        panel=CHIP,
        help="Go on even where a layer fits no core of the chip, with a note: the file then runs on simulators only.",
    )


def misplaced(option: Option, value: object, neuron: str) -> OptionError:
    """Return what is said of an option that was given for the other kind of neuron.

    Args:
        option: The option.
        value: What was given.
        neuron: The kind of neuron, ``if`` or ``sdnn``, which the option is not for.
    """
    spikes = neuron == INTEGRATE_AND_FIRE
    return OptionError(
        "is for sigma-delta neurons" if spikes else "shapes spikes, which sigma-delta neurons do not send",
        where=option.where,
        expected=f"--neuron {SIGMA_DELTA if spikes else INTEGRATE_AND_FIRE}",
        found=f"{option.shown(value)} with --neuron {neuron}",
    )


@documented
@dataclass(frozen=True, kw_only=True)
class _CompiledTask(TaskOptions):
    """What the outputs of a network mean that is compiled."""

    task: Task | None = inherited(
        TaskOptions, "task", panel=DATA, only=(), usual="what outputs and labels tell; later commands take it over"
    )


@documented
@dataclass(frozen=True, kw_only=True)
class CompileOptions(ActivationOptions, NormalisationOptions, _CompiledTask, _Conversion):
    """The options of a compilation, for both kinds of neurons."""

    @property
    def spikes(self) -> bool:
        """Whether neurons integrate and fire; else they are sigma-delta neurons."""
        return self.neuron == INTEGRATE_AND_FIRE

    @property
    def corrections(self) -> tuple[str, ...]:
        """The names of the corrections; unknown ones are among them."""
        return named_corrections(self.calibrate)

    def check(self) -> Target:
        """Return the target, if all options are in range and go together.

        Raises:
            OptionError: An option is out of range, or for the other kind of neuron.
            TargetError: There is no such target, or the chip has no such neurons.
        """
        check_neuron(self.neuron)
        if not self.spikes:
            return self._check_sigma_delta(get_target(self.target))
        for each, value in given(self, SIGMA_DELTA):
            raise misplaced(each, value, self.neuron)
        if not 1 <= self.steps <= TIMESTEPS_MAXIMUM:
            raise OptionError(
                "is out of range", where="timesteps (-T)", expected=f"1..{TIMESTEPS_MAXIMUM}", found=str(self.steps)
            )
        if not 0 <= self.lead <= self.steps:
            raise OptionError(
                "is out of range",
                where="lead (--lead)",
                expected=f"0..{self.steps}, which is T: a layer that waits longer learns nothing new",
                found=str(self.lead),
            )
        check_choices(self)
        methods = (AUTOMATIC, *METHODS, LEARNED)
        if self.threshold not in methods:
            raise OptionError(
                "unknown method",
                where="threshold (--threshold)",
                expected=", ".join(methods),
                found=repr(self.threshold),
            )
        unknown = [name for name in self.corrections if name not in CORRECTIONS]
        if unknown:
            raise OptionError(
                "unknown correction",
                where="calibrate (--calibrate)",
                expected=", ".join((*CORRECTIONS, ALL)),
                found=repr(unknown[0]),
            )
        if self.objective != 1 and self.threshold not in searches():
            raise OptionError(
                "is only for thresholds that are searched for; "
                + ("auto tries both" if self.threshold == AUTOMATIC else f"{self.threshold} minimises no error"),
                where="objective (--objective)",
                expected=f"--threshold {' or '.join(searches())}",
                found=f"{self.objective} with {self.threshold}",
            )
        return get_target(self.target)

    def _check_sigma_delta(self, target: Target) -> Target:
        for each, value in given(self, INTEGRATE_AND_FIRE):
            raise misplaced(each, value, self.neuron)
        if self.max_pool not in (AUTOMATIC, "avg"):
            raise OptionError(
                "sigma-delta neurons have no maximum pooling",
                where="max_pool (--max-pool)",
                expected="avg (average pooling instead)",
                found=repr(self.max_pool),
            )
        if not 0 <= self.delta_threshold <= DELTA_THRESHOLD_MAXIMUM:
            raise OptionError(
                "is out of range",
                where="delta threshold (--delta-threshold)",
                expected=f"0..{DELTA_THRESHOLD_MAXIMUM}",
                found=str(self.delta_threshold),
            )
        if not holds_messages(target):
            others = sorted({each.name for each in map(get_target, target_names()) if holds_messages(each)})
            raise TargetError(
                "sigma-delta neurons need wider graded spikes, states or weights than this chip has",
                where=f"target {target.name}",
                expected=f"spikes of {MESSAGE_BITS} bits, states of {STATE_BITS} and weights of {WEIGHT_BITS}",
                found=f"{target.graded_bits}, {target.state_bits} and {target.weight_bits}",
                advice=f"compile for {' or '.join(others)}, or with --neuron if",
            )
        return target

    def recorded(self) -> dict[str, Recorded]:
        """Return what shapes the program, as plain values by name: what provenance holds."""
        options = replace(self, mean=self.means, std=self.stds)
        if not self.spikes:
            return recorded(options, without=INTEGRATE_AND_FIRE)
        return recorded(replace(options, timesteps=self.steps, calibrate=self.corrections), without=SIGMA_DELTA)
