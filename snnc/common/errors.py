"""The exceptions of snnc: every one says where, what was expected, what was found and what to do.

This module imports nothing of snnc, so that compiler, runtime and models can all raise them.
"""

from __future__ import annotations

import re

# Names out of a file may be of any length.
_LENGTH_MAXIMUM = 2000
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]{4,}\b")


def _shown(text: str) -> str:
    """Write control characters out, since what a file says must not steer the terminal that shows it."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class SnncError(Exception):
    """Base of everything that a user can cause and can mend.

    The command line prints ``str(error)`` as one line and ends with exit code 2.

    Args:
        problem: What is wrong, in a few words, without a full stop.
        where: The place: a module path in the model, a file, an option.
        expected: What would have been right.
        found: What was there instead.
        advice: What the user can do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        advice: str | None = None,
    ) -> None:
        self.problem = problem
        self.where = where
        self.expected = expected
        self.found = found
        self.advice = advice
        super().__init__(self._line())

    def advising(self, advice: str) -> SnncError:
        """Return the same error, of the same class, with other advice."""
        return type(self)(self.problem, where=self.where, expected=self.expected, found=self.found, advice=advice)

    def _line(self) -> str:
        text = f"{self.where}: {self.problem}" if self.where else self.problem
        details = []
        if self.expected is not None:
            details.append(f"expected {self.expected}")
        if self.found is not None:
            details.append(f"found {self.found}")
        if details:
            text += f" ({', '.join(details)})"
        if self.advice:
            text += f"; {self.advice}"
        # Where something lies in memory says nothing to anybody.
        line = " ".join(_ADDRESS.sub("", text).split())
        if len(line) > _LENGTH_MAXIMUM:
            line = f"{line[: _LENGTH_MAXIMUM // 2]} ... {line[-_LENGTH_MAXIMUM // 2 :]}"
        return _shown(line)


class OptionError(SnncError):
    """An option or argument has a value that cannot be used."""


class ModelError(SnncError):
    """A model file cannot be read, or does not hold a usable network."""


class UntrustedModelError(ModelError):
    """Reading the model file would run code that did not come with torch."""


class UnsupportedError(SnncError):
    """The network holds an operation that cannot be compiled."""


class DataError(SnncError):
    """Calibration or evaluation data cannot be used."""


class PassError(SnncError):
    """A compiler pass left the graph in a state it promised not to."""


class TargetError(SnncError):
    """The network does not fit the chip."""


class FormatError(SnncError):
    """A .net file cannot be read, or contradicts itself."""


class OutputError(SnncError):
    """A result cannot be written."""


class BackendError(SnncError):
    """A backend is not installed, or failed while running."""


class OverflowWarning(UserWarning):
    """A membrane potential overflowed in a run, whose result means nothing then."""


class VerdictWarning(UserWarning):
    """A compiled network is no copy of the ANN, or the ANN itself is given other data than it was trained on."""


class ContradictionWarning(UserWarning):
    """What was given contradicts what a file keeps."""


def first_line(error: BaseException) -> str:
    """Return the first line of a foreign error's text; its type where it has none, as a bare ``assert`` has not."""
    return next(iter(str(error).splitlines()), type(error).__name__)
