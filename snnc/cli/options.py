"""Arguments and options that several commands share, and that are no options of a verb (:mod:`snnc.common.options`)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from snnc import models
from snnc.common.errors import OptionError
from snnc.common.file_kinds import is_compiled
from snnc.common.registry import declared
from snnc.compiler.options import format_names


def _data_forms() -> str:
    """Return the forms of data, in the order in which they are tried, from the files that read them."""
    # Help must not wait for numpy, so they are not imported.
    folder = Path(models.__file__).parent / "data" / "sources"
    *forms, last = (text for _, text in sorted(declared(folder, "PRECEDENCE", "HELP")))
    return f"{', '.join(forms)}, or {last}"


DATA_FORMS = _data_forms()
_FORMATS = format_names()


@dataclass
class Invocation:
    """What the entry point needs to know of the command that ran.

    Attributes:
        verbose: Show tracebacks.
        configuration: The ``snnc.toml`` that was used.
        configured: The options that came from there: long names and values.
    """

    verbose: bool = False
    configuration: Path | None = None
    configured: dict[str, object] = field(default_factory=dict)

    def origin(self, place: str | None) -> str | None:
        """Say where the option stands that an error is about, if that is not the command line.

        Args:
            place: What the error names as its place: an option, an argument of the Python interface, or data.
        """
        words = set(re.findall(r"--([a-z-]+)", place or "") or re.findall(r"[a-z]+(?:[_-][a-z]+)*", place or ""))
        named = {word.replace("_", "-") for word in words} | ({"timesteps"} if place and "-T" in place else set())
        for name, value in self.configured.items():
            if name in named or (isinstance(value, str) and place in (value, repr(value))):
                return f"{name} is set in {self.configuration}"
        return None


def _remember_verbose(context: typer.Context, value: bool) -> bool:
    invocation = context.find_root().obj
    if value and isinstance(invocation, Invocation):
        invocation.verbose = True
    return value


Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", callback=_remember_verbose, help="Say more; show the traceback of an error."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.", show_default=False)]
Net = Annotated[
    Path, typer.Argument(metavar="NET", help="The .net file that snnc compile wrote, or a NIR graph of snnc export.")
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="A file with options, which those given here override.  [default: snnc.toml beside the model, else in the "
        "working folder, if there is one]",
    ),
]
NoConfig = Annotated[bool, typer.Option("--no-config", help="Use no snnc.toml.", show_default=False)]
Data = Annotated[
    str,
    typer.Option(
        "--data",
        metavar="DATA",
        rich_help_panel="Data",
        help=f"What to run on: {DATA_FORMS}. The test split, where there is one.",
    ),
]
Calibration = Annotated[
    str | None,
    typer.Option(
        "--calib",
        metavar="DATA",
        rich_help_panel="Data",
        help=f"Calibration data, like those the network was trained on: {DATA_FORMS}. The training split, where there "
        "is one.  [required]",
    ),
]
Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help=f"The trained network: a file of {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}.",
    ),
]
CompiledNet = Annotated[Path | None, typer.Argument(metavar="NET", help="The .net file that snnc compile made of it.")]
FormerModel = Annotated[
    Path | None, typer.Option("--model", metavar="MODEL", hidden=True, help="MODEL, as earlier versions had it.")
]


def calibration_of(given: str | None) -> str:
    """Return the calibration data.

    Raises:
        OptionError: There are none.
    """
    if given is None:
        raise OptionError(
            "is missing",
            where="--calib",
            expected=f"data like those the network was trained on: {DATA_FORMS}",
            advice="or set it in a snnc.toml beside the model, which snnc init writes",
        )
    return given


def model_and_net(first: Path | None, second: Path | None, model: Path | None, usage: str) -> tuple[Path, Path]:
    """Return the model and the compiled network of a command that takes MODEL NET.

    Args:
        first: The first argument: the model; the network where that is the only argument.
        second: The second argument: the network.
        model: The model where it is no argument, but stands after ``--model`` or in a snnc.toml.
        usage: How the command is written.

    Raises:
        OptionError: One of the two is missing, or they are in the wrong order.
    """
    if second is None:
        first, second = model, first
    if first is None or second is None:
        raise OptionError("is missing", where="MODEL" if first is None else "NET", expected=usage)
    if is_compiled(first) and not is_compiled(second):
        raise OptionError("is a compiled network, and stands before the model", where=str(first), expected=usage)
    return first, second
