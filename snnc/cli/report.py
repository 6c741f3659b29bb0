"""``snnc report``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from snnc.analysis.options import ReportOptions
from snnc.cli.configured import ConfiguredCommand, long_names
from snnc.cli.options import DATA_FORMS, Config, Json, NoConfig, Verbose, model_and_net
from snnc.cli.outputs import Inputs
from snnc.cli.parameters import with_options
from snnc.cli.screen import Screen
from snnc.common.atomic_write import check_writable
from snnc.common.errors import OptionError
from snnc.common.options import Option

EXAMPLES = """\b
Examples:
  snnc report model.pt model.net --data cifar10:data -o report.html
  snnc report --lab result.json
"""


class ReportCommand(ConfiguredCommand):
    """``snnc report``, for which a ``snnc.toml`` has nothing to say where a laboratory's result is shown."""

    def without_use(self, given: Mapping[str, object]) -> frozenset[str]:
        """Return all options, with ``--lab``."""
        return frozenset(long_names(self) if given.get("lab") else ())

    def misplaced(self, option: Option, value: object, given: Mapping[str, object]) -> OptionError:
        """Return what is said of an option of a page, with ``--lab``."""
        return _page_only(f"--{option.key}", option.shown(value))


def _page_only(name: str, found: str) -> OptionError:
    return OptionError("goes with a page, not with --lab", where=name, found=found)


@with_options
def report_command(
    options: ReportOptions,
    model: Annotated[
        Path | None, typer.Argument(metavar="MODEL", help="The network that the .net file was compiled from.")
    ] = None,
    net: Annotated[Path | None, typer.Argument(metavar="NET", help="The .net file that snnc compile wrote.")] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data", metavar="DATA", help=f"What to measure on: {DATA_FORMS}. The test split, where there is one."
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT.html", help="The page.  [default: NET with suffix .html]"),
    ] = None,
    lab: Annotated[
        Path | None, typer.Option("--lab", metavar="FILE", help="The result that a bundle's run_lab.py wrote.")
    ] = None,
    config: Config = None,
    no_config: NoConfig = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Write a page on a conversion, or show a laboratory's result.

    The page is one file: the network as a picture, accuracy after every pass and against T, each layer beside the
    ANN's, spikes and energy, fit to the chip, how to reproduce it. snnc compile --report writes it too.

    With --lab: spikes, accuracy, time and energy of a board beside snnc's estimates. Ends with exit code 1 if a spike
    or readout there was not as the simulator gives it.
    """
    screen = Screen(json=as_json, config=None if lab else config)
    if lab is not None:
        given = {"MODEL": model, "NET": net, "--data": data, "--output": output}
        for name, value in given.items():
            if value is not None:
                raise _page_only(name, str(value))
        return _show_lab(screen, lab)
    if model is None or net is None or data is None:
        missing = "MODEL" if model is None else "NET" if net is None else "--data"
        raise OptionError(
            "is missing", where=missing, expected="snnc report MODEL NET --data DATA, or snnc report --lab FILE"
        )
    model, net = model_and_net(model, net, None, "snnc report MODEL NET --data DATA")
    destination = output or net.with_suffix(".html")
    check_writable(destination, Inputs(model, net, config, data=(data,), code=options.arch))
    from snnc.api.analyse import report
    from snnc.reporting.report import outcome_line, passes_table, report_json
    from snnc.reporting.validation import verdict_line
    from snnc.reporting.wording import timing

    with screen.steps() as steps:
        steps.begin("reading the model and the data")
        found = report(model, net, data, destination, options=options, progress=steps)
    screen.show(verdict_line(found.program.provenance))
    screen.show(f"{net} against {model}, {timing(found.program)}")
    screen.show(passes_table(found, changed=True))
    screen.show(outcome_line(found))
    for note in found.notes:
        screen.note(note)
    screen.show(f"wrote {destination}")
    screen.emit({"net": str(net), "model": str(model), "output": str(destination), **report_json(found)})
    return 0


def _show_lab(screen: Screen, lab: Path) -> int:
    from dataclasses import asdict

    from snnc.reporting.lab import lab_energy_table, lab_layer_table, lab_sentences
    from snnc.runtime.hardware.lab import read_lab_result

    result = read_lab_result(lab)
    place = {"cpu": "Lava's CPU simulator", "loihi2": "Loihi 2"}[result.backend]
    where = f"{place}, {result.board}" if result.board else place
    screen.show(
        f"{lab}: network {result.network[:16]} (SHA-256), {result.samples:,} samples of {result.data}, "
        f"T = {result.timesteps}, on {where}"
    )
    screen.show(lab_layer_table(result))
    screen.show(lab_energy_table(result))
    for line in lab_sentences(result):
        screen.show(line)
    for note in result.chip.notes if result.chip else ():
        screen.note(note)
    screen.show("all as expected" if result.passed else "not as expected")
    screen.emit({"lab": str(lab), **asdict(result)})
    return 0 if result.passed else 1
