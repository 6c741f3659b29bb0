"""What a network's integers are worth beside the ANN, and whether its data arrive as they did in training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

# A network of which more decisions than this differ from the ANN's, or which loses more accuracy, is no copy of it; of
# values, one that leaves more than this of their variance unexplained.
LEAST_AGREEMENT, MOST_DROP, LEAST_EXPLAINED = 0.9, 5.0, 0.9
# What a layer leaves unexplained of the ANN's activations before it counts as one that begins a loss.
LAYER_UNEXPLAINED = 0.1

Task = Literal["classes", "sign", "values"]
TASKS: tuple[Task, ...] = get_args(Task)


@dataclass(frozen=True)
class Score:
    """How a candidate of a choice did.

    Attributes:
        name: What was tried, as notes call it.
        value: Its figure, the lower the better, to four digits: the others depend on the machine.
    """

    name: str
    value: float

    @classmethod
    def of(cls, name: str, value: float) -> Score:
        """Return the score with the digits of it that files keep."""
        return cls(name, float(f"{value:.4g}"))


@dataclass(frozen=True)
class TargetError:
    """How far outputs are from the targets of the data, over all samples and outputs.

    Attributes:
        rmse: Root mean square of the differences, in the network's units.
        explained: R squared: 1 where outputs are the targets, below 0 where the targets' mean would be nearer; None
            where the targets do not vary.
        psnr: Of images the peak signal-to-noise ratio in dB, the peak being the range of the targets; None of others,
            and where nothing differs.
    """

    rmse: float
    explained: float | None
    psnr: float | None

    @classmethod
    def of(cls, rmse: float, explained: float | None, psnr: float | None) -> TargetError:
        """Return the error with the digits of it that files keep."""
        rounded, squared, ratio = (None if each is None else float(f"{each:.4g}") for each in (rmse, explained, psnr))
        assert rounded is not None
        return cls(rounded, squared, ratio)

    @property
    def sentence(self) -> str:
        """What it comes to, for people."""
        found = [f"RMSE {self.rmse:.4g}"]
        if self.explained is not None:
            found.append(f"R squared {self.explained:.4f}")
        if self.psnr is not None:
            found.append(f"PSNR {self.psnr:.2f} dB")
        return ", ".join(found)


@dataclass(frozen=True)
class Verdict:
    """What a network in its integers is worth, beside the ANN on the same samples.

    Attributes:
        task: What outputs mean: ``classes`` (the largest decides), ``sign`` (one output, above 0 or not) or ``values``.
        samples: Number of samples.
        held_out: Whether nothing was fitted on them.
        agreement: Share of samples with the ANN's decision, 0..1; None for values.
        ann_accuracy: Share of samples that the ANN decides as their labels say, 0..1; None without labels.
        snn_accuracy: The same of the network.
        explained: R squared of the network's outputs against the ANN's: 1 where they are equal, below 0 where their
            mean would be nearer; None where the ANN's do not vary.
        relative_error: Root mean square of the difference of the outputs, in that of the ANN's outputs; None where
            these are 0.
        layers: For each layer that stands for a value of the ANN, and the readout last, by its name: what its values
            leave unexplained of the ANN's, 0..1.
        ann_error: How far the ANN's outputs are from the targets; None without targets.
        snn_error: The same of the network.
    """

    task: Task
    samples: int
    held_out: bool
    agreement: float | None
    ann_accuracy: float | None
    snn_accuracy: float | None
    explained: float | None
    relative_error: float | None
    layers: tuple[Score, ...] = ()
    ann_error: TargetError | None = None
    snn_error: TargetError | None = None

    @property
    def drop(self) -> float | None:
        """Percentage points of accuracy lost, below 0 where the network is better; None without labels."""
        if self.ann_accuracy is None or self.snn_accuracy is None:
            return None
        return 100 * (self.ann_accuracy - self.snn_accuracy)

    @property
    def lost(self) -> float | None:
        """What may be limited: points of accuracy lost, without labels of agreement; None where values count."""
        if self.drop is not None or self.agreement is None:
            return self.drop
        return 100 * (1 - self.agreement)

    def failures(self, maximum_drop: float | None = None, *, certain: bool = False) -> tuple[str, ...]:
        """Return what is bad, one sentence each; none where the network is a copy of the ANN.

        Args:
            maximum_drop: Percentage points of accuracy, or without labels of agreement with the ANN, that may be lost,
                whatever else is usual; None: 5 of accuracy, and 10 of agreement. Of values it says nothing.
            certain: Count only what exceeds a limit by more than the standard error of so few samples.
        """
        if self.agreement is None:
            return self._unlike()
        if maximum_drop is not None:
            return self._dropped(maximum_drop, certain)
        found = self._dropped(MOST_DROP, certain) if self.drop is not None else ()
        doubt = math.sqrt(self.agreement * (1 - self.agreement) / self.samples) if certain else 0.0
        if self.agreement + doubt < LEAST_AGREEMENT:
            agreeing = f"it decides as the ANN on {_percent(self.agreement)} of the samples only"
            return (*found, f"{agreeing}, fewer than {_percent(LEAST_AGREEMENT)}")
        return found

    def _dropped(self, allowed: float, certain: bool) -> tuple[str, ...]:
        lost = self.lost or 0.0
        # Samples are those of both networks, so that only where they decide differently can one be the better by luck;
        # no more than this varies.
        differing = 1 - (self.agreement or 0.0) - (lost / 100) ** 2
        doubt = 100 * math.sqrt(max(0.0, differing) / self.samples) if certain else 0.0
        if lost <= allowed + doubt:
            return ()
        what = "accuracy" if self.drop is not None else "agreement with the ANN"
        return (f"the {what} drops by {lost:.2f} points, more than {allowed:g}",)

    def _unlike(self) -> tuple[str, ...]:
        if self.explained is None or self.explained >= LEAST_EXPLAINED:
            return ()
        return (f"R squared against the ANN is {self.explained:.3f}, less than {LEAST_EXPLAINED}",)

    @property
    def begins(self) -> str | None:
        """The layer that begins a loss: the first that leaves much of the ANN unexplained; None where none does."""
        return next((each.name for each in self.layers if each.value > LAYER_UNEXPLAINED), None)

    @property
    def figures(self) -> str:
        """What it comes to, in a few words."""
        found = []
        if self.agreement is not None:
            found.append(f"agrees with the ANN on {_percent(self.agreement)}")
        if self.task == "values" and self.explained is not None:
            found.append(f"R squared {self.explained:.4f} against the ANN")
        if self.task == "values" and self.relative_error is not None:
            found.append(f"relative error {_percent(self.relative_error)}")
        if self.ann_accuracy is not None and self.snn_accuracy is not None:
            change = f"{100 * (self.snn_accuracy - self.ann_accuracy):+.2f} points"
            found.append(f"accuracy {_percent(self.snn_accuracy)}, ANN {_percent(self.ann_accuracy)} ({change})")
        if self.task != "values" and self.explained is not None and self.explained < LEAST_EXPLAINED:
            # Decisions may hold where the values that they rest on do not.
            found.append(f"the values of its outputs R squared {self.explained:.2f}")
        if self.ann_error is not None and self.snn_error is not None:
            found.append(f"from the targets: {self.snn_error.sentence}; ANN {self.ann_error.sentence}")
        return ", ".join(found) or "the ANN gives the same for all of them"

    @property
    def sentence(self) -> str:
        """What it comes to, and what it rests on, for people."""
        of = "held-out calibration samples" if self.held_out else "of the samples calibrated on"
        return f"the chip's integers beside the ANN, {self.samples:,} {of}: {self.figures}"


def _percent(share: float) -> str:
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + " %"


# A first batch normalisation that sees what it was trained on diverges by some thousandths, by some hundredths where
# training changed images at random; by more than this, other data or another normalisation arrive.
MOST_DIVERGENCE = 0.25


@dataclass(frozen=True)
class NormalisationFit:
    """Whether what arrives at the first batch normalisation is what it was trained on.

    Its running mean and variance are held against those of the calibration data: the symmetric divergence of the two
    normal distributions (the sum of both Kullback-Leibler divergences, halved), mean of the channels; 0 where they are
    equal.

    Attributes:
        where: The batch normalisation.
        divergence: With the mean and standard deviation that the network was compiled with.
        name: What the best of other means and standard deviations is known for; where it fits, nobody looks for others.
        mean: This mean: one number, or one for each channel.
        std: This standard deviation.
        other_divergence: With these.
    """

    where: str
    divergence: float
    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    other_divergence: float

    @property
    def fits(self) -> bool:
        """Whether what arrives is what it was trained on."""
        return self.divergence <= MOST_DIVERGENCE

    @property
    def other_fits(self) -> bool:
        """Whether it would be with the other mean and standard deviation."""
        return self.other_divergence <= min(MOST_DIVERGENCE, self.divergence / 4)

    @property
    def options(self) -> str:
        """The options that ask for these."""
        return normalisation_options(self.mean, self.std)

    @property
    def problem(self) -> str:
        """What is wrong where it does not fit, for people."""
        return (
            f"what arrives at the first batch normalisation ({self.where}) is not what it was trained on (divergence "
            f"{self.divergence:.2g})"
        )

    @property
    def advice(self) -> str:
        """What to try then."""
        if self.other_fits:
            return f"{self.options} ({self.name}) would fit ({self.other_divergence:.2g})"
        return "no known --mean and --std fit: give those of the training, and calibration data like those"


def normalisation_options(mean: Sequence[float], std: Sequence[float]) -> str:
    """Return the options that ask for a mean and a standard deviation: ``--mean 0.1307 --std 0.3081``."""
    means, deviations = (",".join(f"{each:.4g}" for each in values) for values in (mean, std))
    return f"--mean {means} --std {deviations}"
