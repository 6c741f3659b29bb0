"""``snnc thresholds``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.configured import ConfiguredCommand
from snnc.cli.options import DATA_FORMS, OBJECTIVE_HELP, Architecture, Config, Json, NoConfig, Trust, Verbose, numbers
from snnc.cli.outputs import check_writable
from snnc.cli.screen import Screen
from snnc.common.errors import OptionError

EXAMPLES = """\b
Examples:
  snnc thresholds model.pt --calib digits -T 8 --plot thresholds.png
  snnc thresholds model.net --model model.pt --calib digits
"""

# The first bytes of every HDF5 file, and so of every .net file.
_NET = b"\x89HDF\r\n\x1a\n"


# What a .net file says itself, and the only thing that is for .net files.
_FIXED = frozenset({"timesteps", "threshold", "per-channel", "objective", "mean", "std"})
_NET_ONLY = frozenset({"model"})


class ThresholdsCommand(ConfiguredCommand):
    """Takes from a snnc.toml what suits a .net file, or what suits a model."""

    def without_use(self, given: Mapping[str, object]) -> frozenset[str]:
        """What the .net file fixes already, or what is for .net files only."""
        return _FIXED if _is_net(Path(str(given.get("source")))) else _NET_ONLY


def thresholds_command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="NET_OR_MODEL", help="A .net file, or a trained network as for snnc compile: both can be looked at."
        ),
    ],
    calibration: Annotated[
        str,
        typer.Option(
            "--calib", metavar="DATA", help=f"Data to look at activations on: {DATA_FORMS}. The training split."
        ),
    ],
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="For a .net file: the network that it was compiled from, since only that has activations.",
        ),
    ] = None,
    timesteps: Annotated[int | None, typer.Option("-T", "--timesteps", help="Steps per sample.  [default: 8]")] = None,
    threshold: Annotated[
        str | None,
        typer.Option("--threshold", help="How thresholds are chosen, as for snnc compile.  [default: auto]"),
    ] = None,
    per_channel: Annotated[
        bool | None,
        typer.Option(
            "--per-channel/--per-layer",
            help="One threshold for each channel, or for each layer.  [default: per-channel]",
        ),
    ] = None,
    objective: Annotated[
        int | None, typer.Option("--objective", metavar="1|2", help=f"{OBJECTIVE_HELP}  [default: 1]")
    ] = None,
    mean: Annotated[
        str | None, typer.Option("--mean", metavar="X[,X,X]", help="What was subtracted from the data.  [default: 0]")
    ] = None,
    std: Annotated[
        str | None,
        typer.Option("--std", metavar="X[,X,X]", help="What the data were divided by after that.  [default: 1]"),
    ] = None,
    architecture: Architecture = None,
    trust: Trust = False,
    calibration_samples: Annotated[
        int, typer.Option("--calib-samples", help="How many samples to look at, as many of each class.")
    ] = 512,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="OUT.png", help="Draw them too: a .png, .svg or .pdf file.")
    ] = None,
    config: Config = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Show thresholds beside the activations that they stand for.

    For each layer: threshold Vth, initial potential v0 as a share of it, the activations of the ANN, and the error: the
    mean distance of a positive activation from what a neuron sends that is given this activation at every step. Where
    thresholds are chosen for the least squared error, it is the root of the mean square (rms).

    Of a model the thresholds are those that snnc compile would choose. Of a .net file they are its own; T and
    normalisation are then the file's too, and --model says where the activations come from.
    """
    screen = Screen(json=as_json, config=config)
    is_net = _is_net(source)
    given = {
        "-T": timesteps,
        "--threshold": threshold,
        "--per-channel/--per-layer": per_channel,
        "--objective": objective,
        "--mean": mean,
        "--std": std,
    }
    _check(source, is_net=is_net, model=model, given=given)
    if plot is not None:
        from snnc.common.plotting import check_picture

        check_writable(plot, instead_of=source)
        check_picture(plot)
    from snnc.api.inspect import model_thresholds, program_thresholds

    with screen.steps() as steps:
        if is_net:
            assert model is not None
            steps.begin("looking at activations", calibration_samples)
            layers = program_thresholds(
                source,
                model,
                calibration,
                calibration_samples=calibration_samples,
                arch=architecture,
                trust=trust,
                advance=steps.advance,
            )
        else:
            steps.begin("choosing thresholds", 2 * calibration_samples)
            layers = model_thresholds(
                source,
                calibration,
                timesteps=8 if timesteps is None else timesteps,
                threshold=threshold or "auto",
                per_channel=per_channel is not False,
                objective=1 if objective is None else objective,
                mean=numbers(mean or "0", "--mean"),
                std=numbers(std or "1", "--std"),
                calibration_samples=calibration_samples,
                arch=architecture,
                trust=trust,
                advance=steps.advance,
            )
        title = f"{source.name} on {calibration}, T = {layers[0].timesteps}"
        if plot is not None:
            from snnc.reporting.thresholds import plot_thresholds

            steps.begin("drawing")
            plot_thresholds(layers, plot, title=f"Thresholds of {title}")
    from snnc.reporting.thresholds import thresholds_table

    screen.show(title)
    table = thresholds_table(layers)
    screen.show(table)
    if plot is not None:
        screen.show(f"wrote {plot}")
    screen.emit(
        {
            "source": str(source),
            "model": None if model is None else str(model),
            "data": calibration,
            "timesteps": layers[0].timesteps,
            "plot": None if plot is None else str(plot),
            "layers": table.records(),
        }
    )
    return 0


def _is_net(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_NET)) == _NET
    except OSError:
        return path.suffix == ".net"  # whoever reads it says what is wrong with it


def _check(source: Path, *, is_net: bool, model: Path | None, given: Mapping[str, object]) -> None:
    if is_net and model is None:
        raise OptionError(
            "is missing", where="--model", expected=f"the network that {source} was compiled from",
            advice="a .net file holds thresholds but no activations",
        )  # fmt: skip
    if not is_net and model is not None:
        raise OptionError("is only for a .net file", where="--model", found=f"the model {source} as well")
    fixed = [name for name, value in given.items() if value is not None]
    if is_net and fixed:
        raise OptionError("is fixed by the .net file", where=fixed[0], advice="leave it out")
