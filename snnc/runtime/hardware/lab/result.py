"""What came back from a laboratory."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snnc.common.errors import FormatError, first_line
from snnc.program.net.hdf5_safety import check_plain_file

# Counts of spikes, steps and samples stay below this; so they do in 64 bits.
COUNT_MAXIMUM = 1 << 62
TEXT_MAXIMUM = 1000


class Entries:
    """One JSON object.

    Args:
        value: What stands where the object should.
        file: Name of the file, for errors.
        path: Where in it.
    """

    def __init__(self, value: object, file: str, path: str = "") -> None:
        self._file = file
        self._path = path
        if not isinstance(value, dict):
            raise self.error("is not an object")
        self._value: dict[str, Any] = value

    def error(self, problem: str, name: str = "", *, expected: str | None = None) -> FormatError:
        """Return the error for an entry, or for the object itself."""
        place = ".".join(part for part in (self._path, name) if part)
        return FormatError(
            f"{place} {problem}" if place else problem, where=self._file, expected=expected, advice="run the lab again"
        )

    def within(self, name: str) -> Entries:
        """Return an object inside it."""
        return Entries(self._any(name), self._file, f"{self._path}.{name}".strip("."))

    def within_or_none(self, name: str) -> Entries | None:
        """Return the same, or None for null."""
        return None if self._any(name) is None else self.within(name)

    def each(self, name: str) -> list[Entries]:
        """Return the objects of a list."""
        place = f"{self._path}.{name}".strip(".")
        return [Entries(each, self._file, f"{place}[{index}]") for index, each in enumerate(self._list(name))]

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts of a list."""
        return tuple(self._checked(name, each) for each in self._list(name))

    def named_texts(self, name: str) -> dict[str, str | None]:
        """Return an object of texts and nulls."""
        inside = self.within(name)
        return {self._checked(name, each): inside.text_or_none(each) for each in inside._value}

    def text(self, name: str) -> str:
        """Return one line that can be shown."""
        return self._checked(name, self._any(name))

    def text_or_none(self, name: str) -> str | None:
        """Return the same, or None for null."""
        return None if self._any(name) is None else self.text(name)

    def flag(self, name: str) -> bool:
        """Return a truth value."""
        value = self._any(name)
        if not isinstance(value, bool):
            raise self.error("is neither true nor false", name)
        return value

    def count(self, name: str, lowest: int = 0, highest: int = COUNT_MAXIMUM) -> int:
        """Return a whole number."""
        value = self._any(name)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            limits = f"{lowest} or more" if highest == COUNT_MAXIMUM else f"{lowest} to {highest}"
            raise self.error("is not a count", name, expected=limits)
        return value

    def count_or_none(self, name: str, highest: int = COUNT_MAXIMUM) -> int | None:
        """Return the same, or None for null."""
        return None if self._any(name) is None else self.count(name, 0, highest)

    def amount(self, name: str) -> float:
        """Return a finite number that is not negative."""
        value = self._any(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e300:
            raise self.error("is not an amount", name, expected="a finite number of at least 0")
        return float(value)

    def amount_or_none(self, name: str) -> float | None:
        """Return the same, or None for null."""
        return None if self._any(name) is None else self.amount(name)

    def _any(self, name: str) -> object:
        if name not in self._value:
            raise self.error("is missing", name)
        value = self._value[name]
        if isinstance(value, float) and not math.isfinite(value):
            raise self.error("is not finite", name)
        return value

    def _list(self, name: str) -> list[object]:
        value = self._any(name)
        if not isinstance(value, list):
            raise self.error("is not a list", name)
        return value

    def _checked(self, name: str, value: object) -> str:
        # What is shown on a terminal must not steer it.
        if not isinstance(value, str) or not value.isprintable() or len(value) > TEXT_MAXIMUM:
            raise self.error("is not a line of text", name, expected=f"at most {TEXT_MAXIMUM} printable characters")
        return value


FORMAT, VERSION = "snnc-lab-result", 1
# A result has some hundred bytes for each layer.
BYTES_MAXIMUM = 1 << 24


@dataclass(frozen=True)
class LabLayer:
    """One spiking layer.

    Attributes:
        name: Its name.
        expected: Spikes of the simulator.
        found: Spikes in the laboratory; None where they stayed on the chip.
        different: Places where one has a spike and the other has none; None likewise.
    """

    name: str
    expected: int
    found: int | None
    different: int | None


@dataclass(frozen=True)
class LabChip:
    """What the board measured over all steps; None where it did not.

    Attributes:
        seconds: Time.
        joules: Energy.
        static_joules: The part of it that is spent doing nothing.
        dynamic_joules: The rest.
        watts: Power.
        notes: Why something was not measured.
    """

    seconds: float | None
    joules: float | None
    static_joules: float | None
    dynamic_joules: float | None
    watts: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class LabEstimate:
    """What snnc estimated for one sample.

    Attributes:
        model: The energy model.
        snn_joules: The spiking network's energy; None where it is not defined.
        ann_joules: The ANN's, likewise.
    """

    model: str
    snn_joules: float | None
    ann_joules: float | None


@dataclass(frozen=True)
class LabResult:
    """A run in a laboratory.

    Attributes:
        snnc: Version of the compiler.
        network: SHA-256 of the .net file.
        target: The chip that it was compiled for.
        data: What the samples are.
        timesteps: T.
        lead: k.
        samples: Number of samples.
        backend: ``cpu`` or ``loihi2``.
        board: Which board, where that was chosen.
        machine: The host's platform.
        versions: Versions of what ran; None for what was not installed.
        passed: Whether everything was as expected.
        layers: The spiking layers.
        readouts: Number of readout values.
        readouts_different: Those that were not as expected.
        expected_right: Samples that the simulator classifies rightly; None where labels are not known.
        found_right: Those that the laboratory did; None likewise.
        steps: Time steps that ran.
        start_seconds: From nothing until the network ran.
        run_seconds: Of the host, for those steps.
        chip: What a board measured; None where there was none.
        synaptic_operations: Operations for one sample, as snnc counts them.
        estimates: Energies for one sample, as snnc estimates them.
    """

    snnc: str
    network: str
    target: str
    data: str
    timesteps: int
    lead: int
    samples: int
    backend: str
    board: str | None
    machine: str
    versions: dict[str, str | None]
    passed: bool
    layers: tuple[LabLayer, ...]
    readouts: int
    readouts_different: int
    expected_right: int | None
    found_right: int | None
    steps: int
    start_seconds: float
    run_seconds: float
    chip: LabChip | None
    synaptic_operations: float
    estimates: tuple[LabEstimate, ...]


def read_lab_result(path: str | Path) -> LabResult:
    """Read and check what ``run_lab.py`` wrote.

    Args:
        path: The file, which comes from elsewhere: nothing in it is trusted.

    Returns:
        What the laboratory found, beside what was expected and estimated.

    Raises:
        FormatError: It cannot be read, is something else, or contradicts itself.
    """
    name = str(path)
    check_plain_file(path)
    try:
        if Path(path).stat().st_size > BYTES_MAXIMUM:
            raise FormatError("is too large for a result of run_lab.py", where=name)
        value = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError("cannot be read", where=name, found=(error.strerror or str(error)).lower()) from error
    # RecursionError: brackets within brackets, thousands of them.
    except (ValueError, RecursionError) as error:
        raise FormatError("is not JSON", where=name, found=first_line(error)) from error
    root = Entries(value, name)
    if root.text("format") != FORMAT:
        raise FormatError("was not written by run_lab.py", where=name, expected=f"format {FORMAT}")
    if root.count("version") != VERSION:
        raise FormatError("is of another version", where=name, expected=str(VERSION), advice="update snnc")
    result = _result(root)
    differs = bool(result.readouts_different) or any(each.different for each in result.layers)
    if result.passed == differs:
        raise root.error("contradicts the differences", "passed")
    return result


def _result(root: Entries) -> LabResult:
    samples = root.count("samples", 1)
    labels, readouts = root.within_or_none("labels"), root.within("readouts")
    seconds, estimates = root.within("seconds"), root.within("estimates")
    values = readouts.count("values", 1)
    if (backend := root.text("backend")) not in ("cpu", "loihi2"):
        raise root.error("is unknown", "backend", expected="cpu or loihi2")
    return LabResult(
        snnc=root.text("snnc"),
        network=root.text("network"),
        target=root.text("target"),
        data=root.text("data"),
        timesteps=root.count("timesteps", 1),
        lead=root.count("lead"),
        samples=samples,
        backend=backend,
        board=root.text_or_none("board"),
        machine=root.text("machine"),
        versions=root.named_texts("versions"),
        passed=root.flag("passed"),
        layers=tuple(_layer(each) for each in root.each("layers")),
        readouts=values,
        readouts_different=readouts.count("different", 0, values),
        expected_right=None if labels is None else labels.count("expected_right", 0, samples),
        found_right=None if labels is None else labels.count("found_right", 0, samples),
        steps=root.count("steps", 1),
        start_seconds=seconds.amount("start"),
        run_seconds=seconds.amount("run"),
        chip=_chip(root.within_or_none("chip")),
        synaptic_operations=estimates.amount("synaptic_operations"),
        estimates=tuple(
            LabEstimate(each.text("model"), each.amount_or_none("snn_joules"), each.amount_or_none("ann_joules"))
            for each in estimates.each("energy")
        ),
    )


def _layer(entry: Entries) -> LabLayer:
    found, different = entry.count_or_none("found"), entry.count_or_none("different")
    if (found is None) != (different is None):
        raise entry.error("contradicts different", "found")
    return LabLayer(entry.text("name"), entry.count("expected"), found, different)


def _chip(entry: Entries | None) -> LabChip | None:
    if entry is None:
        return None
    return LabChip(
        seconds=entry.amount_or_none("seconds"),
        joules=entry.amount_or_none("joules"),
        static_joules=entry.amount_or_none("static_joules"),
        dynamic_joules=entry.amount_or_none("dynamic_joules"),
        watts=entry.amount_or_none("watts"),
        notes=entry.texts("notes"),
    )
