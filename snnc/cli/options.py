"""Options that several commands share."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from snnc.common.errors import OptionError

# Bytes of a unit; without one a number counts mebibytes.
UNITS = {"": 1 << 20, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def memory_size(text: str | None) -> int | None:
    """``2G``, ``512M`` or ``512`` (mebibytes) as a number of bytes; None for None.

    Raises:
        OptionError: It is something else, or nothing.
    """
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(float(found[1]) * UNITS[found[2].upper()]) if found else 0
    if size < 1:
        raise OptionError("cannot be understood", where="--memory", expected="such as 512M or 2G", found=repr(text))
    return size


def step_numbers(text: str | None) -> tuple[int, ...]:
    """``1,2,4`` as numbers of steps; none for None.

    Raises:
        OptionError: It is something else.
    """
    try:
        return () if text is None else tuple(int(each) for each in text.split(","))
    except ValueError:
        raise OptionError(
            "cannot be understood",
            where="--stop-at",
            expected="numbers of steps with commas between them, such as 1,2,4",
            found=repr(text),
        ) from None


DATA_FORMS = (
    "digits (embedded in scikit-learn), mnist:ROOT, fashion-mnist:ROOT, cifar10:ROOT, cifar100:ROOT (torchvision data "
    "sets below the folder ROOT), imagenet:ROOT (train and val below it), FILE.npz (arrays x and y), a folder or zip "
    "file of class folders of images, or module:attribute"
)

OBJECTIVE_HELP = (
    "m, 1 or 2, for --threshold data-driven or optimal, which make the sum of |activation - rate| ** m least. 2 clips "
    "less, which is often better from T = 4 on with one threshold for each channel; auto tries both."
)

# Samples that a report measures on unless told otherwise: seconds for networks of usual size.
REPORT_SAMPLES = 256


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
        """Says where the option stands that an error is about, if that is not the command line.

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
Architecture = Annotated[
    str | None,
    typer.Option(
        "--arch",
        metavar="NAME|MODULE:FACTORY",
        help="For a model file that holds a state_dict only: what makes the network. One of snnc's own, such as "
        "resnet20, or vgg16:100:qcfs:max with what it was trained with; or a callable such as mynet:Net, whose module "
        "is looked for in the working directory first, and its code is run.",
    ),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust",
        help="Read a model file even where that runs code that the file names. Only for files from people you trust.",
        show_default=False,
    ),
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
LavaModels = Annotated[
    str | None,
    typer.Option(
        "--lava-models",
        metavar="fast|stock",
        help="What computes on Lava, with the same result: snnc's process models, all in one process, or Lava's own, "
        "each in a process of the operating system.  [default: fast]",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        help="How many Lava networks run side by side, each on its share of the samples; never changes the result. "
        "Each loads everything anew, which takes seconds, and uses one core.  [default: 1; all of a cluster]",
    ),
]
LavaTimeout = Annotated[
    float | None,
    typer.Option(
        "--lava-timeout",
        metavar="SECONDS",
        help="How long Lava may take to start, and for a sample, before the run ends since a process of it hangs.  "
        "[default: 600]",
    ),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="NAME[:ADDRESS]",
        help="Where Lava's workers run: dask:tcp://HOST:PORT, ray, or ray:ADDRESS.  [default: on this machine]",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device", help="Where sim computes: cpu, cuda, cuda:NUMBER or auto (a GPU where there is one); same result."
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="How much memory sim may take, such as 512M or 2G, beside network, data and results; same result.  "
        "[default: what is fastest]",
    ),
]
Data = Annotated[
    str,
    typer.Option("--data", metavar="DATA", help=f"What to run on: {DATA_FORMS}. The test split, where there is one."),
]


def numbers(text: str, option: str) -> tuple[float, ...]:
    """``0.5`` or ``0.5,0.4,0.3`` as numbers.

    Raises:
        OptionError: It is something else.
    """
    try:
        return tuple(float(each) for each in text.split(","))
    except ValueError:
        raise OptionError(
            "cannot be understood",
            where=option,
            expected="a number, or one for each channel with commas between them",
            found=repr(text),
        ) from None
