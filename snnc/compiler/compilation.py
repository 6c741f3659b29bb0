"""What a compilation gives, whatever the neurons: a program, how it came about, and what it fits on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from snnc.common.errors import TargetError
from snnc.compiler.conversion.calibration.corrections import CORRECTIONS
from snnc.compiler.ir import Conv2d, ConvTranspose2d, Graph, Linear
from snnc.compiler.ir.passes import PassRecord
from snnc.compiler.options import CALIBRATION_SAMPLES, TIMESTEPS_MAXIMUM
from snnc.program import AnnLayer, CompiledNetwork, Program, Provenance, SigmaDeltaProgram
from snnc.program.placement import place
from snnc.program.provenance import CorrectionFigures, OptionValue, PoolingChoice, ScaleChoice, ThresholdChoice
from snnc.program.targets import Target
from snnc.program.validate import validate
from snnc.program.verdict import LAYER_UNEXPLAINED, NormalisationFit, Verdict


def calibrate_option() -> str:
    """Return the option for the corrections that are worth their time wherever accuracy counts."""
    return f"--calibrate {','.join(name for name, each in CORRECTIONS.items() if each.recommended)}"


def lead_option(timesteps: int) -> str:
    """Return the lead that most often helps: half of T."""
    return f"--lead {max(1, timesteps // 2)}"


# Of the ANN's output, what spikes leave unexplained in floating point where they, not integers, are what loses most.
_MUCH_OF_SPIKES = 0.5


@dataclass(frozen=True)
class Remedies:
    """What can still be done about a loss: all that says so asks here, so that nothing is advised that was done.

    Attributes:
        timesteps: T.
        lead: Steps that each layer integrates before it may fire.
        corrections: What was corrected on calibration data.
        weighed: Whether several ways to choose thresholds were tried and the best one taken.
        per_channel: Whether each channel has a threshold of its own.
        learned: Whether thresholds were trained.
        strict: Whether only what is proven was compiled.
        samples: Calibration samples; None where that is not known.
    """

    timesteps: int
    lead: int = 0
    corrections: tuple[str, ...] = ()
    weighed: bool = False
    per_channel: bool = True
    learned: bool = False
    strict: bool = False
    samples: int | None = None

    @classmethod
    def after(cls, program: CompiledNetwork) -> Remedies:
        """Return what can be done beside what a program's provenance says was done."""
        origin = program.provenance
        return cls(
            timesteps=program.timesteps,
            lead=program.lead,
            corrections=origin.words("calibrate"),
            weighed=origin.options.get("threshold") == "auto",
            per_channel=origin.options.get("per_channel") is True,
            learned=origin.options.get("threshold") == "learned",
            strict=origin.options.get("strict") is True,
            samples=origin.calibration_samples,
        )

    @property
    def corrected(self) -> tuple[str, ...]:
        """Corrections that fit layers to the spikes that they get."""
        done = any(CORRECTIONS[name].windows for name in self.corrections if name in CORRECTIONS)
        return () if done else (calibrate_option(),)

    @property
    def waited(self) -> tuple[str, ...]:
        """A lead."""
        return () if self.lead else (lead_option(self.timesteps),)

    @property
    def chosen(self) -> tuple[str, ...]:
        """Thresholds that the network itself chose; those that were trained stay as they are."""
        return () if self.weighed or self.learned else ("--threshold auto",)

    @property
    def longer(self) -> tuple[str, ...]:
        """A larger T."""
        return (f"a T above {self.timesteps}",) if self.timesteps < TIMESTEPS_MAXIMUM else ()

    @property
    def separate(self) -> tuple[str, ...]:
        """Thresholds of each channel; those that were trained stay as they are."""
        return () if self.per_channel or self.learned else ("one threshold for each channel (--per-channel)",)

    @property
    def sampled(self) -> tuple[str, ...]:
        """More calibration samples than were taken, where these were few."""
        return ("more calibration samples",) if self.samples is not None and self.samples < CALIBRATION_SAMPLES else ()

    @property
    def trained(self) -> tuple[str, ...]:
        """Training as a spiking network."""
        return () if self.learned else ("snnc finetune",)

    @property
    def against_spikes(self) -> tuple[str, ...]:
        """What helps where spikes lose much."""
        return (*self.corrected, *self.waited, *self.chosen, *self.separate, *self.longer, *self.trained)

    @property
    def against_integers(self) -> tuple[str, ...]:
        """What helps where the chip's integers lose what spikes in floating point keep."""
        bounded = ("compiling without --strict",) if self.strict else ()
        return (*bounded, *self.separate, *self.trained)


def shortfall(program: CompiledNetwork, maximum_drop: float | None = None) -> str | None:
    """Return what is bad of a network by its verdict, where that begins and what helps; None where nothing is.

    Args:
        program: The program; one that nobody judged is not called bad.
        maximum_drop: Points that may be lost; None: as many as usual, and those of the standard error beside them.
    """
    verdict = program.provenance.verdict
    if verdict is None:
        return None
    failures = () if maximum_drop is None else verdict.failures(maximum_drop)
    failures = failures or verdict.failures(certain=True)
    if not failures:
        return None
    begins = f"; the loss begins at layer {verdict.begins}" if verdict.begins else ""
    ways = _what_helps(program, verdict)
    helps = f"; what helps: {', '.join(ways)}" if ways else ""
    told = "diagnose tells the causes" if isinstance(program, Program) else "validate shows the error of each layer"
    return f"the compiled network is no copy of the ANN: {', and '.join(failures)}{begins}{helps}; snnc {told}"


# An ANN that is right less often than so many times by chance is wrong itself.
MUCH_TO_CHANCE = 1.5


def doubt(program: CompiledNetwork) -> str | None:
    """Return why the ANN itself seems to be given other data than it was trained on; None where nothing says so.

    Args:
        program: The program, with what its provenance says of the calibration data.
    """
    verdict, fit = program.provenance.verdict, program.provenance.normalisation
    accuracy = None if verdict is None else verdict.ann_accuracy
    right = "" if accuracy is None else f"the ANN is right for {accuracy:.1%} of the labelled calibration data"
    if fit is not None and not fit.fits:
        return f"{fit.problem}{f'; {right}' if right else ''}; {fit.advice}"
    if accuracy is not None and accuracy < MUCH_TO_CHANCE / max(2, program.readout.values):
        return (
            f"{right}, hardly more than chance: look at the data, --mean and --std as in training, the order of the "
            "classes, and --arch"
        )
    return None


def _what_helps(program: CompiledNetwork, verdict: Verdict) -> tuple[str, ...]:
    if isinstance(program, SigmaDeltaProgram):
        held_back = program.provenance.numbers("delta_threshold", 0.0) != (0.0,)
        return ("--delta-threshold 0",) if held_back else ()
    remedies = Remedies.after(program)
    choice = program.provenance.thresholds
    left = min((each.value for each in choice.scores), default=None) if choice else None
    # Both are shares of the output's variance.
    lost = verdict.layers[-1].value if verdict.layers else 0.0
    if left is not None and lost > LAYER_UNEXPLAINED and left < _MUCH_OF_SPIKES * lost:
        return remedies.against_integers
    return remedies.against_spikes


Made = TypeVar("Made", bound=CompiledNetwork)


@dataclass(frozen=True)
class Compilation(Generic[Made]):
    """A program and how it came about.

    Attributes:
        program: The result.
        records: What each pass did, in order.
    """

    program: Made
    records: tuple[PassRecord, ...]

    def noted(self, notes: tuple[str, ...]) -> Compilation[Made]:
        """Return the same with further notes in the program's provenance."""
        if not notes:
            return self
        provenance = replace(self.program.provenance, notes=(*self.program.provenance.notes, *notes))
        return replace(self, program=self.program.with_provenance(provenance))

    def judged(self, verdict: Verdict) -> Compilation[Made]:
        """Return the same with a verdict on its integers in the program's provenance."""
        provenance = replace(self.program.provenance, verdict=verdict)
        return replace(self, program=self.program.with_provenance(provenance))

    def fitted(self, fit: NormalisationFit | None) -> Compilation[Made]:
        """Return the same with how what arrives fits the first batch normalisation, in the program's provenance."""
        provenance = replace(self.program.provenance, normalisation=fit)
        return replace(self, program=self.program.with_provenance(provenance))

    def placed(self, target: Target, *, allow_oversize: bool) -> Compilation[Made]:
        """Return the same, checked against the chip, with a note for each layer that fits no core of it.

        Args:
            target: The chip.
            allow_oversize: Go on with notes.

        Raises:
            TargetError: A number does not fit the chip, or a layer fits no core and that is not allowed.
        """
        validate(self.program, error=TargetError)
        oversize = place(self.program, target).errors()
        if oversize and not allow_oversize:
            raise oversize[0]
        return self.noted(tuple(map(str, oversize)))


def provenance_of(
    traced: Graph,
    levels: NDArray[np.uint8],
    options: Mapping[str, OptionValue],
    *,
    notes: Sequence[str] = (),
    thresholds: ThresholdChoice | None = None,
    pooling: Sequence[PoolingChoice] = (),
    scale: ScaleChoice | None = None,
    corrections: CorrectionFigures | None = None,
) -> Provenance:
    """Return what a program is made from.

    Args:
        traced: The ANN.
        levels: Calibration data as input levels, (samples, *input shape).
        options: What shaped the compilation, by name.
        notes: What users should know of it; each is kept once.
        thresholds: How thresholds were chosen.
        pooling: How each maximum pooling is written.
        scale: What the integers' scales rest on.
        corrections: What corrections brought.
    """
    return Provenance(
        snnc=importlib.metadata.version("snnc"),
        model=graph_hash(traced),
        calibration=hashlib.sha256(levels.tobytes()).hexdigest(),
        calibration_samples=len(levels),
        options=dict(options),
        notes=tuple(dict.fromkeys(notes)),
        thresholds=thresholds,
        pooling=tuple(pooling),
        scale=scale,
        corrections=corrections,
    )


def count_macs(graph: Graph) -> tuple[AnnLayer, ...]:
    """Return the multiply-accumulate operations of the traced ANN's convolutions and linear layers, for one sample.

    Slices and padding were traced as convolutions, but nothing is multiplied there.
    """
    counts = []
    for node in graph.of_kind(Conv2d, ConvTranspose2d, Linear):
        assert isinstance(node.op, Conv2d | ConvTranspose2d | Linear)
        if isinstance(node.op, Conv2d) and _only_moves(node.op):
            continue
        # A transposed convolution meets its weights once for each position of its input, not of its output.
        shape = graph[node.inputs[0]].shape if isinstance(node.op, ConvTranspose2d) else node.shape
        counts.append(AnnLayer(node.where, int(node.op.weight.size) * math.prod(shape[1:])))
    return tuple(counts)


def _only_moves(op: Conv2d) -> bool:
    """Return whether each output is one input as it is, or 0."""
    ones = (op.weight == 1).sum(axis=(1, 2, 3))
    return not op.bias.any() and bool((ones <= 1).all()) and int(ones.sum()) == np.count_nonzero(op.weight)


def graph_hash(graph: Graph) -> str:
    """Return the SHA-256 of a traced network: its operations, their parameters and connections."""
    digest = hashlib.sha256()
    for node in graph:
        digest.update(repr((node.name, node.op.kind, node.inputs, node.shape)).encode())
        for key, value in sorted(vars(node.op).items()):
            if value is None:
                continue  # what the operation does not use
            digest.update(key.encode())
            for part in _hashed_parts(value):
                digest.update(part)
    return digest.hexdigest()


def _hashed_parts(value: object) -> Iterator[bytes]:
    if isinstance(value, csr_matrix):
        # repr() of a matrix shows its shape and how many entries it has, but none of them.
        yield repr(value.shape).encode()
        for array in (value.data, value.indices.astype(np.int64), value.indptr.astype(np.int64)):
            yield array.tobytes()
    else:
        yield value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()
