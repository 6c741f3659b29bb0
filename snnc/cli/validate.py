"""``snnc validate``."""

from __future__ import annotations

from collections.abc import Mapping

from snnc.analysis.options import DropOptions, ValidateOptions
from snnc.cli.configured import ConfiguredCommand
from snnc.cli.options import CompiledNet, Config, Data, FormerModel, Json, Model, NoConfig, Verbose, model_and_net
from snnc.cli.parameters import with_options
from snnc.cli.screen import Screen
from snnc.common.errors import OptionError
from snnc.common.options import Option, options_of
from snnc.runtime.options import ON_LAVA

EXAMPLES = """\b
Example:
  snnc validate model.pt model.net --data mnist:data --max-drop 0.5
"""


class ValidateCommand(ConfiguredCommand):
    """``snnc validate``, for which options of Lava mean nothing where that does not run."""

    def without_use(self, given: Mapping[str, object]) -> frozenset[str]:
        """Return the options of Lava, with ``--no-lava``."""
        if given.get("lava") is not False:
            return frozenset()
        return frozenset(each.key for each in options_of(ValidateOptions) if ON_LAVA in each.only)

    def misplaced(self, option: Option, value: object, given: Mapping[str, object]) -> OptionError:
        """Return what is said of an option of Lava."""
        return OptionError(
            "is for Lava, which does not run",
            where=option.where,
            expected="--lava",
            found=f"{option.shown(value)} with --no-lava",
        )


@with_options
def validate_command(
    model: Model,
    net: CompiledNet = None,
    *,
    data: Data,
    options: ValidateOptions,
    allowed: DropOptions,
    former_model: FormerModel = None,
    config: Config = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Compare ANN, simulator and Lava.

    The ANN's activations with the simulator's firing rates, layer by layer, and the simulator with Lava, spike by
    spike. Of sigma-delta neurons: with sums of messages, and message by message.

    The ANN gets the data as they are, so that their rounding to input levels is judged too. Ends with exit code 1 if
    sim and Lava differ in any spike or readout, if a membrane potential overflowed, if a value of a sigma-delta network
    is further from the ANN than its rounding can take it, or if the network is no copy of the ANN: if more is lost than
    --max-drop allows, or without it 5 points of accuracy, or decisions differ for more than a tenth of the samples. Of
    outputs that are values, R squared against the ANN has to reach 0.9.
    """
    allowed.check()
    screen = Screen(json=as_json, config=config)
    model, net = model_and_net(model, net, former_model, "snnc validate MODEL NET --data DATA")
    from snnc.api.analyse import validate
    from snnc.api.compile import load
    from snnc.inputs.data import evaluation_data
    from snnc.inputs.tasks import matched
    from snnc.reporting.program import timing_json
    from snnc.reporting.validation import validation_json, validation_lines, validation_table
    from snnc.reporting.wording import clipping_notes, timing

    with screen.steps() as steps:
        steps.begin("reading the model and the data")
        program = load(net)
        dataset = evaluation_data(data, options.samples)
        allowed.check_task(matched(program, dataset, options.task).task)
        result = validate(model, program, dataset, options=options, progress=steps)
    failures = result.failures(allowed.maximum_drop)
    notes = [*result.notes, *clipping_notes(result.clipped)]
    screen.show(f"{net} against {model} on {result.samples:,} samples of {dataset.name}, {timing(program)}")
    screen.show(validation_table(result))
    for line in validation_lines(result):
        screen.show(line)
    for note in notes:
        screen.note(note)
    for failure in failures:
        screen.warn(failure)
    screen.show("failed" if failures else "passed")
    screen.emit(
        {
            "net": str(net),
            "model": str(model),
            "data": dataset.name,
            **timing_json(program),
            "passed": not failures,
            "failures": list(failures),
            "notes": notes,
            **validation_json(result),
        }
    )
    return 1 if failures else 0
