"""``snnc thresholds``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from snnc.cli.configured import ConfiguredCommand
from snnc.cli.options import (
    Calibration,
    Config,
    FormerModel,
    Json,
    Model,
    NoConfig,
    Verbose,
    calibration_of,
    model_and_net,
)
from snnc.cli.outputs import Inputs
from snnc.cli.parameters import with_options
from snnc.cli.screen import Screen
from snnc.common.atomic_write import check_writable
from snnc.common.errors import OptionError
from snnc.common.file_kinds import is_compiled
from snnc.common.options import Option, options_of, taken
from snnc.compiler.options import ActivationOptions, ThresholdOptions

EXAMPLES = """\b
Examples:
  snnc thresholds model.pt --calib digits -T 8 --plot thresholds.png
  snnc thresholds model.pt model.net --calib digits
"""

# What a .net file says itself.
_FIXED = frozenset(each.key for each in options_of(ThresholdOptions) if each not in options_of(ActivationOptions))
# The only thing that is for .net files.
_NET_ONLY = frozenset({"model"})


class ThresholdsCommand(ConfiguredCommand):
    """Takes from a snnc.toml what suits a .net file, or what suits a model."""

    def without_use(self, given: Mapping[str, object]) -> frozenset[str]:
        """Return what the .net file fixes already, or what is for .net files only."""
        has_net = given.get("net") is not None or is_compiled(str(given.get("model")))
        return _FIXED if has_net else _NET_ONLY

    def misplaced(self, option: Option, value: object, given: Mapping[str, object]) -> OptionError:
        """Return what is said of an option that the .net file fixes."""
        return OptionError("is fixed by the .net file", where=option.where, advice="leave it out")


@with_options
def thresholds_command(
    model: Model,
    *,
    net: Annotated[
        Path | None,
        typer.Argument(
            metavar="NET", help="A .net file that snnc compile made of it, for a look at the thresholds that it has."
        ),
    ] = None,
    calibration: Calibration = None,
    options: ThresholdOptions,
    former_model: FormerModel = None,
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

    Of a model alone the thresholds are those that snnc compile would choose. With NET they are the file's own; T and
    normalisation are then the file's too, and only the activations come from MODEL.
    """
    screen = Screen(json=as_json, config=config)
    calibration = calibration_of(calibration)
    if former_model is not None and net is None and not is_compiled(model):
        raise OptionError("is only for a .net file", where="--model", found=f"the model {model} as well")
    if net is not None or is_compiled(model):
        model, net = model_and_net(model, net, former_model, "snnc thresholds MODEL NET --calib DATA")
    source = model if net is None else net
    if plot is not None:
        from snnc.common.plotting import check_picture

        check_writable(plot, Inputs(model, net, config, data=(calibration,), code=options.arch))
        check_picture(plot)
    from snnc.api.inspect import model_thresholds, program_thresholds

    with screen.steps() as steps:
        if net is not None:
            own = taken(ActivationOptions, options)
            layers = program_thresholds(model, net, calibration, options=own, progress=steps)
        else:
            layers = model_thresholds(model, calibration, options=options, progress=steps)
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
            "model": None if net is None else str(model),
            "data": calibration,
            "timesteps": layers[0].timesteps,
            "plot": None if plot is None else str(plot),
            "layers": table.records(),
        }
    )
    return 0
