"""The keys of a ``snnc.toml``: the long names of options, and which values they take.

Only options that are listed here can be set in a file. The file may lie beside a model that somebody else sent, so what
could run code, write files or reach other machines is left to the command line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["COMMAND_LINE_ONLY", "KEYS", "Kind", "Option"]

# What an option takes from a file: as click converts it, or would from the command line.
Option = str | int | float | bool


@dataclass(frozen=True)
class Kind:
    """What values a key takes.

    Attributes:
        expected: In words, with an example.
        option: Makes the option's value of the file's, or None of a value of the wrong type.
    """

    expected: str
    option: Callable[[object], Option | None]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _integer(value: object) -> int | None:
    # In Python True is an integer, in TOML it is none.
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def _switch(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _size(value: object) -> str | None:
    return _text(value) if isinstance(value, str) else _several(_integer)(value)


def _several(one: Callable[[object], Option | None]) -> Callable[[object], str | None]:
    """One value, or a list of them, as the command line has them: with commas between."""

    def joined(value: object) -> str | None:
        parts = [one(each) for each in (value if isinstance(value, list) else [value])]
        return None if not parts or None in parts else ",".join(map(str, parts))

    return joined


TEXT = Kind("a text in quotes", _text)
# Their relative paths begin at the file's folder, and Python code that they name is not run without --trust.
PATH = Kind('a path in quotes, such as "model.pt"', _text)
DATA = Kind('data in quotes, such as "digits", "cifar10:data" or "images/"', _text)
ARCHITECTURE = Kind('a network in quotes, such as "resnet20" or "mynet:Net"', _text)
INTEGER = Kind("an integer, such as 8", _integer)
INTEGERS = Kind("an integer or a list of them, such as [1, 2, 4]", _several(_integer))
NUMBER = Kind("a number, such as 0.5", _number)
NUMBERS = Kind("a number or a list of them, such as [0.485, 0.456, 0.406]", _several(_number))
NAMES = Kind('names, such as "weights,spread,bias" or ["weights", "bias"]', _several(_text))
SWITCH = Kind("true or false", _switch)
SIZE = Kind('a size, such as "512M" or "2G"', _size)

KEYS: Mapping[str, Kind] = {
    "allow-oversize": SWITCH,
    "arch": ARCHITECTURE,
    "backend": TEXT,
    "batch-size": INTEGER,
    "calib": DATA,
    "calib-samples": INTEGER,
    "calibrate": NAMES,
    "data": DATA,
    "delta-threshold": INTEGER,
    "device": TEXT,
    "input-bits": INTEGER,
    "lava": SWITCH,
    "lava-models": TEXT,
    "lava-samples": INTEGER,
    "lava-timeout": NUMBER,
    "lead": INTEGER,
    "max-drop": NUMBER,
    "max-pool": TEXT,
    "mean": NUMBERS,
    "memory": SIZE,
    "model": PATH,
    "neuron": TEXT,
    "num-layers": INTEGER,
    "objective": INTEGER,
    "per-channel": SWITCH,
    "reset-interval": INTEGER,
    "reset-offset": INTEGER,
    "samples": INTEGER,
    "skip-layers": INTEGER,
    "std": NUMBERS,
    "stop-at": INTEGERS,
    "strict": SWITCH,
    "target": TEXT,
    "threshold": TEXT,
    "timesteps": INTEGER,
    "workers": INTEGER,
}

_WRITES = "it names a file that is written, and a snnc.toml beside a model must not say which"
_TALK = "it says how one call talks"
# Options that no file sets, and why.
COMMAND_LINE_ONLY: Mapping[str, str] = {
    "cluster": "it makes other machines run code",
    "config": "it names the file itself",
    "json": _TALK,
    "lab": "it asks for a report of another kind",
    "no-config": "it leaves the file out",
    "output": _WRITES,
    "plot": _WRITES,
    "quiet": _TALK,
    "report": _WRITES,
    "resume": "it keeps a file of what is done beside the network",
    "report-data": "it is for one page",
    "report-samples": "it is for one page",
    "trust": "it lets model files run code, which a snnc.toml beside them must not allow",
    "verbose": _TALK,
}
