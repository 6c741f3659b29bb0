"""Commands that take from a ``snnc.toml`` what the command line leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from snnc.cli.configuration import Configuration, find_configuration, read_configuration
from snnc.cli.configuration.read import options_for
from snnc.cli.options import Invocation
from snnc.cli.parameters import OptionCommand, former_keys, options_taken, own_names, value_of
from snnc.cli.screen import Screen
from snnc.common.errors import OptionError
from snnc.common.options import Option
from snnc.compiler.parallel import launched

__all__ = ["ConfiguredCommand", "is_from_file"]


class ConfiguredCommand(OptionCommand):
    """A command whose options may stand in a ``snnc.toml`` beside the model, in the working folder, or elsewhere.

    It has the options ``--config`` and ``--no-config``; its function gets the file that was used as ``config``.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse twice: to find the file, and then with its values as defaults."""
        args = own_names(self, args)
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        # Its name differs between versions of click.
        help_option = self.get_help_option(ctx)
        if not ctx.resilient_parsing and not (help_option and given.get(help_option.name)):
            configuration = self._configuration(ctx, given)
            if configuration is not None:
                self._apply(ctx, configuration, given)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Say which options come from the file, and run the command."""
        names = [name for name, key in long_names(self).items() if name != "config" and is_from_file(ctx, key)]
        if names:
            silent = ctx.params.get("quiet") or not launched().is_first
            screen = Screen(json=ctx.params.get("as_json", False), quiet=silent)
            screen.show(f"from {ctx.params['config']}: {', '.join(names)}")
        useless = self.without_use(ctx.params)
        for option in options_taken(self):
            if option.key in useless and _is_typed(ctx, option.name):
                raise self.misplaced(option, value_of(option, ctx.params[option.name]), ctx.params)
        return super().invoke(ctx)

    def without_use(self, given: Mapping[str, object]) -> frozenset[str]:
        """Return the long names of options that mean nothing with the arguments given.

        A file's values of these do not count, and who types one of the options of a verb, be it at its usual value, is
        told so (:meth:`misplaced`).

        Args:
            given: What stands on the command line, by the names of the parameters; the second time with all else.
        """
        return frozenset()

    def misplaced(self, option: Option, value: object, given: Mapping[str, Any]) -> OptionError:
        """Return what is said of an option that was typed and means nothing.

        Args:
            option: One of :meth:`without_use`.
            value: What was typed.
            given: All arguments, by the names of the parameters.
        """
        return OptionError("means nothing here", where=f"--{option.key}", found=option.shown(value))

    def _configuration(self, ctx: Any, given: Mapping[str, Any]) -> Configuration | None:
        chosen = given.get("config")
        if given.get("no_config"):
            if chosen:
                raise OptionError("contradicts --no-config", where="--config", found=str(chosen))
            return None
        files = [Path(given[each.name]) for each in self.params if _is_file_argument(each, given)]
        path = Path(chosen) if chosen else find_configuration(files)
        if path is None:
            return None
        commands = ctx.find_root().command.commands.items()
        known = {
            name: [*long_names(each), *former_keys(each)]
            for name, each in commands
            if isinstance(each, ConfiguredCommand)
        }
        return read_configuration(path, known)

    def _apply(self, ctx: Any, configuration: Configuration, given: Mapping[str, Any]) -> None:
        own = long_names(self)
        # By a former name, a key counts less than by its own.
        names = {**{former: own[name] for former, name in former_keys(self).items()}, **own}
        useless = self.without_use(given)
        keys = {own[name] for name in useless if name in own}
        options = options_for(
            configuration,
            self.name or "",
            names,
            {name for name, key in names.items() if given.get(key) is not None or key in keys} | useless,
            own={option.key for option in options_taken(self) if not option.shared},
            trust=bool(given.get("trust")),
        )
        options = {name: options[name] for name in names if name in options}
        ctx.default_map = {
            **{names[name]: value for name, value in options.items()},
            "config": str(configuration.path),
        }
        invocation = ctx.find_root().obj
        if isinstance(invocation, Invocation):
            invocation.configuration = configuration.path
            invocation.configured = dict(options)


def is_from_file(context: typer.Context, name: str) -> bool:
    """Return whether a parameter's value comes from a ``snnc.toml``."""
    # typer ships its own copy of click or uses the installed one, so the source is told by its name.
    return getattr(context.get_parameter_source(name), "name", "") == "DEFAULT_MAP"


def _is_typed(context: typer.Context, name: str) -> bool:
    """Return whether a parameter stands on the command line, even with its usual value."""
    return getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"


def long_names(command: Any) -> dict[str, str]:
    """Return a command's options: the long name of each, without dashes, and the name of its parameter.

    Of those that switch something on or off it is the first name.
    """
    found = {}
    for parameter in command.params:
        long = [each for each in parameter.opts if each.startswith("--")]
        if long:
            found[long[0].removeprefix("--")] = parameter.name
    return found


def _is_file_argument(parameter: Any, given: Mapping[str, Any]) -> bool:
    value = given.get(parameter.name)
    return bool(parameter.param_type_name == "argument" and isinstance(value, str))
