"""All commands, put together."""

from __future__ import annotations

from typing import Annotated

import typer

from snnc.cli import (
    bundle,
    compile,
    demo,
    diagnose,
    export,
    finetune,
    init,
    inspect,
    report,
    run,
    thresholds,
    train,
    validate,
)
from snnc.cli.configured import ConfiguredCommand
from snnc.cli.options import Verbose
from snnc.cli.parameters import OptionCommand

application = typer.Typer(
    name="snnc",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


EXAMPLES = """\b
The whole way on embedded data:
  snnc demo
Your own network:
  snnc compile model.pt --calib mnist:data -T 8 -o model.net
  snnc run model.net --data mnist:data
  snnc validate model.pt model.net --data mnist:data

Exit codes: 0 all is well, 1 a check failed, 2 bad input, 3 a bug in snnc, 130 interrupted, 143 terminated.
"""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"snnc {version('snnc')}")
        raise typer.Exit


@application.callback(invoke_without_command=True, epilog=EXAMPLES)
def _start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Compile trained PyTorch networks into spiking networks for Intel Loihi and Lava."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


application.command("init", cls=OptionCommand, epilog=init.EXAMPLES)(init.init_command)
application.command("compile", cls=compile.CompileCommand, epilog=compile.EXAMPLES)(compile.compile_command)
application.command("run", cls=run.RunCommand, epilog=run.EXAMPLES)(run.run_command)
application.command("validate", cls=validate.ValidateCommand, epilog=validate.EXAMPLES)(validate.validate_command)
application.command("diagnose", cls=ConfiguredCommand, epilog=diagnose.EXAMPLES)(diagnose.diagnose_command)
application.command("inspect", cls=OptionCommand, epilog=inspect.EXAMPLES)(inspect.inspect_command)
application.command("thresholds", cls=thresholds.ThresholdsCommand, epilog=thresholds.EXAMPLES)(
    thresholds.thresholds_command
)
application.command("train", cls=ConfiguredCommand, epilog=train.EXAMPLES)(train.train_command)
application.command("finetune", cls=ConfiguredCommand, epilog=finetune.EXAMPLES)(finetune.finetune_command)
application.command("bundle", cls=ConfiguredCommand, epilog=bundle.EXAMPLES)(bundle.bundle_command)
application.command("export", cls=OptionCommand, epilog=export.EXAMPLES)(export.export_command)
application.command("report", cls=report.ReportCommand, epilog=report.EXAMPLES)(report.report_command)
application.command("demo", cls=OptionCommand, epilog=demo.EXAMPLES)(demo.demo_command)
