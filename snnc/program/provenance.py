"""What a compiled network was made from and how it was chosen: facts as values, and the form in which files keep them.

Nothing here is read back from sentences: the notes are rendered from the other facts, last, for people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from snnc.program.verdict import NormalisationFit, Score, Verdict

# What an option may be; several numbers or names are a tuple.
OptionValue = bool | int | float | str | tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True)
class AnnLayer:
    """A Conv2d or Linear of the ANN, before anything was folded: what the energy comparison counts.

    Attributes:
        module: Qualified name.
        macs: Multiply-accumulate operations for one sample.
    """

    module: str
    macs: int


@dataclass(frozen=True)
class ThresholdChoice:
    """How the thresholds were chosen.

    Attributes:
        method: A method of the solver, ``learned``, or ``nearest``: for each layer or channel one of those tried.
        objective: m, the power of the error that the chosen thresholds make small; None where they look at no error.
        scores: Of all candidates that were run: the share of the ANN's output left unexplained; empty where none was.
        samples: Calibration samples that they were judged on; 0 where none was.
    """

    method: str
    objective: int | None
    scores: tuple[Score, ...] = ()
    samples: int = 0


@dataclass(frozen=True)
class PoolingChoice:
    """How a maximum pooling is written for spikes.

    Attributes:
        node: Name of its node in the traced network.
        where: What notes call it.
        way: ``or``, ``exact`` or ``avg``.
        neurons: Neurons that it takes.
        errors: Of all ways that were tried: the mean distance from the ANN's maximum, relative to its mean; empty where
            none was.
    """

    node: str
    where: str
    way: str
    neurons: int
    errors: tuple[Score, ...] = ()


@dataclass(frozen=True)
class ScaleChoice:
    """What the integers' scales rest on.

    Attributes:
        margin: How many times the calibration data's range a membrane holds where its range is not proven; None where
            only proven ranges were allowed.
        divisor: Levels of the input that one unit of its spikes stands for.
        input_deviation: Standard deviation of what rounding the input's weights does to a step's drive, in thresholds.
    """

    margin: float | None
    divisor: int
    input_deviation: float


@dataclass(frozen=True)
class CorrectionFigures:
    """What the corrections of the layers brought.

    Attributes:
        names: The corrections, in the order in which each layer got them.
        samples: Calibration samples that they rest on.
        errors: Squared error of the rates relative to the ANN's activations, mean of the layers: before, and after each
            correction.
    """

    names: tuple[str, ...]
    samples: int
    errors: tuple[Score, ...]


@dataclass(frozen=True)
class Provenance:
    """Where a compiled network came from; holds no time and no path, so that equal input gives equal files.

    Attributes:
        snnc: Version of the compiler.
        model: SHA-256 of the traced network with its parameters.
        calibration: SHA-256 of the calibration data; empty where there were none.
        calibration_samples: Their number.
        options: The options that shaped the result, by name.
        notes: What the compiler did that the user should know, one sentence each; rendered from what follows.
        thresholds: How thresholds were chosen; None where the file does not say: it is older, or has none.
        pooling: How each maximum pooling is written; None where the file does not say.
        scale: What the scales rest on; None where the file does not say, or all is exact.
        corrections: What was corrected, with figures; None where nothing was, or the file does not say.
        verdict: What the integers are worth; None where nobody looked, or the file does not say.
        normalisation: Whether what arrives at the first batch normalisation is what it was trained on; None where there
            is none, or the file does not say.
    """

    snnc: str
    model: str
    calibration: str
    calibration_samples: int
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    thresholds: ThresholdChoice | None = None
    pooling: tuple[PoolingChoice, ...] | None = None
    scale: ScaleChoice | None = None
    corrections: CorrectionFigures | None = None
    verdict: Verdict | None = None
    normalisation: NormalisationFit | None = None

    def words(self, name: str) -> tuple[str, ...]:
        """Return an option that is several names; none where it was not given.

        Args:
            name: The option.
        """
        value = self.options.get(name, ())
        return tuple(map(str, value)) if isinstance(value, tuple) else (str(value),)

    def numbers(self, name: str, default: float) -> tuple[float, ...]:
        """Return an option that is one number or several.

        Args:
            name: The option.
            default: What it is where it was not given.
        """
        value = self.options.get(name, default)
        return tuple(map(float, value)) if isinstance(value, tuple) else (float(value),)

    @property
    def option_texts(self) -> dict[str, str]:
        """The options as people read them: several values with spaces between them."""
        return {name: option_text(value) for name, value in self.options.items()}


def option_text(value: OptionValue) -> str:
    """Return an option as people read it."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


class WrongFormError(ValueError):
    """A provenance in a file is not what it should be.

    Attributes:
        expected: What it should be; None where the message says it.
    """

    def __init__(self, problem: str, expected: str | None = None) -> None:
        super().__init__(problem)
        self.expected = expected


# What every file has; the others are facts that older ones lack.
_REQUIRED = tuple(each.name for each in fields(Provenance))[:6]


def provenance_form(provenance: Provenance) -> dict[str, Any]:
    """Return a provenance as plain values, for JSON."""
    form = _plain(provenance)
    assert isinstance(form, dict)
    return form


def provenance_of_form(form: object) -> Provenance:
    """Return the provenance that plain values describe; those of older files lack facts and have options as text.

    Raises:
        WrongFormError: A field is missing, unknown or of a wrong type.
    """
    wanted = get_type_hints(Provenance)
    if not isinstance(form, dict) or not set(_REQUIRED) <= set(form) <= set(wanted):
        raise WrongFormError("has the wrong fields", expected=", ".join(_REQUIRED))
    found: dict[str, Any] = {}
    for name, value in form.items():
        try:
            found[name] = _options(value) if name == "options" else _read(wanted[name], value)
        except (TypeError, ValueError) as error:
            raise WrongFormError(f"has a wrong {name}") from error
    if "thresholds" not in found:
        found["thresholds"] = _thresholds_noted(found["options"], found["notes"])
    if "pooling" not in found:
        found["pooling"] = _pooling_noted(found["notes"])
    return Provenance(**found)


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    return value


def _read(kind: Any, value: object) -> Any:
    """Return plain values as a value of a type; TypeError where they are none."""
    if get_origin(kind) in (Union, UnionType):
        if value is None and NoneType in get_args(kind):
            return None
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_read(get_args(kind)[0], each) for each in value)
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        hints = get_type_hints(kind)
        required = {each.name for each in fields(kind) if each.default is MISSING}
        if not required <= set(value) <= set(hints):
            raise TypeError
        return kind(**{name: _read(hints[name], each) for name, each in value.items()})
    if kind is float and type(value) is int:
        return float(value)
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError
        return value
    if not isinstance(kind, type) or type(value) is not kind:
        raise TypeError
    return value


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(map(float, text.split()))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Options that files once held as text, and what they are.
_ONCE_TEXT: dict[str, Callable[[str], OptionValue]] = {
    **dict.fromkeys(("timesteps", "objective", "lead", "delta_threshold"), int),
    **dict.fromkeys(("per_channel", "strict"), {"True": True, "False": False}.__getitem__),
    **dict.fromkeys(("mean", "std"), _numbers),
    "calibrate": _words,
}


def _options(form: object) -> dict[str, OptionValue]:
    if not isinstance(form, dict):
        raise TypeError
    return {name: _option(name, value) for name, value in form.items()}


def _option(name: str, value: object) -> OptionValue:
    if isinstance(value, str):
        try:
            return _ONCE_TEXT[name](value) if name in _ONCE_TEXT else value
        except KeyError:
            raise TypeError from None
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if isinstance(value, list) and all(isinstance(each, int | float) for each in value):
        return tuple(map(float, value))
    raise TypeError


# Files from before facts were recorded say them in notes, in these words.
_NOTED_THRESHOLDS = re.compile(r"thresholds by (the nearest to each activation|[a-z-]+)(?:, m = (\d))?(?: \(|:)")
_NOTED_POOLING = re.compile(
    r"(.+): maximum pooling by (or|exact|avg)(?:, ([\d,]+) neurons| \(error .*?\2 .*? at ([\d,]+) ne)"
)


def _thresholds_noted(options: Mapping[str, OptionValue], notes: tuple[str, ...]) -> ThresholdChoice | None:
    """Return how the thresholds of an older file were chosen, as far as its options and notes say it."""
    method, objective = str(options.get("threshold", "")), options.get("objective", 1)
    if method == "auto":
        for found in filter(None, map(_NOTED_THRESHOLDS.match, notes)):
            name, power = found.groups()
            if power is not None:
                return ThresholdChoice(name, int(power))
            return ThresholdChoice("nearest", 2) if " " in name else ThresholdChoice(name, None)
        return None
    if method in ("data-driven", "optimal"):
        return ThresholdChoice(method, int(objective) if isinstance(objective, int) else None)
    return ThresholdChoice(method, 2 if method == "mse" else None) if method else None


def _pooling_noted(notes: tuple[str, ...]) -> tuple[PoolingChoice, ...]:
    """Return how each maximum pooling of an older file is written; its node is not known, but where it is."""
    found = filter(None, map(_NOTED_POOLING.match, notes))
    return tuple(PoolingChoice("", each[1], each[2], int((each[3] or each[4]).replace(",", ""))) for each in found)
