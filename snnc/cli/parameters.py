"""From the options of a verb to the parameters of its command, and their help."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from snnc.common.options import Option, options_of

__all__ = ["OptionCommand", "former_keys", "options_taken", "own_names", "value_of", "with_options"]

# The group of options that help shows last, and those without a group.
_LAST = "Options"
# What stands for a value in help where an option says nothing of its own, by the name of its kind.
_METAVARS = {"integer": "N", "number": "X"}
# Stand for the plain ones while lines are broken, and characters of a default that a line is not broken in.
_NO_BREAK_SPACE, _NO_BREAK_HYPHEN = "\N{NO-BREAK SPACE}", "\N{NON-BREAKING HYPHEN}"
_SHORT_DEFAULT = 12
# Where a function says which former names of its options are still taken.
_FORMER = "former_flags"
# Where it keeps the options of the dataclasses that it takes.
_TAKEN = "options_taken"


def with_options(function: Callable[..., int]) -> Callable[..., int]:
    """Give a command a parameter for each option of the dataclasses that it takes.

    Args:
        function: The command: parameters that are annotated with a dataclass of options (see
            :mod:`snnc.common.options`) get one that is made of what was typed. Options that several of these have are
            one parameter.

    Returns:
        The command for typer.
    """
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type] = {}
    single: dict[str, Option] = {}
    for each in inspect.signature(function, eval_str=True).parameters.values():
        kind = each.annotation
        if not (dataclasses.is_dataclass(kind) and isinstance(kind, type)):
            parameters.append(each.replace(kind=each.KEYWORD_ONLY))
            continue
        groups[each.name] = kind
        new = [option for option in _typed(kind) if option.name not in single]
        parameters += map(_parameter, new)
        single |= {option.name: option for option in new}

    @functools.wraps(function)
    def command(**values: Any) -> int:
        own = {name: value for name, value in values.items() if name not in single}
        for name, kind in groups.items():
            own[name] = kind(
                **{option.name: value_of(option, values[option.name]) for option in _typed(kind) if _is(values, option)}
            )
        return function(**own)

    command.__signature__ = inspect.Signature(parameters, return_annotation=int)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters} | {"return": int}
    del command.__wrapped__
    former = {f"--{_dashed(old)}": option.flags[-1] for option in single.values() for old in option.old}
    setattr(command, _FORMER, former)
    setattr(command, _TAKEN, tuple(single.values()))
    return command


def options_taken(command: Any) -> tuple[Option, ...]:
    """Return the options of the dataclasses that a command of typer's takes, each once."""
    return getattr(command.callback, _TAKEN, ())


def _typed(kind: type) -> list[Option]:
    return [option for option in options_of(kind) if option.flags]


def _is(values: dict[str, Any], option: Option) -> bool:
    """Return whether something was given, so that the dataclass need not say what is usual."""
    return values[option.name] is not None


def value_of(option: Option, value: Any) -> Any:
    """Return an option's value for what the command line gives.

    Raises:
        OptionError: It cannot be understood.
    """
    read = option.kind.from_text
    return value if read is None else read(value, f"--{option.key}")


def _parameter(option: Option) -> inspect.Parameter:
    """Return what typer makes a parameter of."""
    default = option.default
    if option.kind.from_text is not None:
        text = None if default is None or default == () else option.written(default)[-1]
        return _made(option, str if text is not None else str | None, text)
    kind = type(option.choices[0]) if option.choices else option.type
    return _made(option, kind | None if default is None else kind, default)


def _made(option: Option, kind: Any, default: object) -> inspect.Parameter:
    info = typer.Option(
        *option.flags,
        help=_help(option),
        metavar=option.metavar or "|".join(map(str, option.known)) or _METAVARS.get(option.kind.name),
        rich_help_panel=option.panel,
        show_default=default is not False or "/" in option.flags[-1],
    )
    return inspect.Parameter(
        option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


def _help(option: Option) -> str:
    text = option.help.replace("``", "")
    return text if option.usual is None else f"{text}  [default: {option.usual.replace('``', '')}]"


def _dashed(name: str) -> str:
    return name.replace("_", "-")


class OptionCommand(TyperCommand):
    """A command whose help groups options by their panels, and which takes former names of options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments, with each former name of a flag as its present one."""
        return super().parse_args(ctx, own_names(self, args))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the pieces of the usage line, without what is hidden and the braces of newer versions of typer."""
        shown = [each for each in self.get_params(ctx) if not getattr(each, "hidden", False)]
        pieces = [piece.strip("{}") for each in shown for piece in each.get_usage_pieces(ctx)]
        return [self.options_metavar, *pieces] if self.options_metavar else pieces

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, a section for each panel in the order in which they come first."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx)
            if record is not None:
                is_argument = each.param_type_name == "argument"
                panel = "Arguments" if is_argument else getattr(each, "rich_help_panel", None) or _LAST
                name, text = record
                # Newer versions of typer write the type after the name of an argument.
                panels.setdefault(panel, []).append(((is_argument and each.metavar) or name, _unbroken(text)))
        start = len(formatter.buffer)
        for panel in sorted(panels, key=lambda name: (name != "Arguments", name == _LAST)):
            with formatter.section(panel):
                formatter.write_dl(panels[panel])
        formatter.buffer[start:] = [_plain(each) for each in formatter.buffer[start:]]


def _unbroken(text: str) -> str:
    """Return a help text whose names with hyphens, and short defaults, lines are not broken in."""
    short = rf"\[default: [^\]]{{1,{_SHORT_DEFAULT}}}\]"
    text = re.sub(short, lambda found: found[0].replace(" ", _NO_BREAK_SPACE), text)
    return text.replace("-", _NO_BREAK_HYPHEN)


def _plain(text: str) -> str:
    return text.replace(_NO_BREAK_SPACE, " ").replace(_NO_BREAK_HYPHEN, "-")


def former_keys(command: Any) -> dict[str, str]:
    """Return former keys of a command's options, and the present one of each."""
    former = getattr(command.callback, _FORMER, {})
    return {old.removeprefix("--"): flag.partition("/")[0].removeprefix("--") for old, flag in former.items()}


def own_names(command: Any, args: list[str]) -> list[str]:
    """Return the arguments of a command with the names of its flags in place of their former ones."""
    former = getattr(command.callback, _FORMER, {})
    end = args.index("--") if "--" in args else len(args)
    return [*(_renamed(each, former) for each in args[:end]), *args[end:]]


def _renamed(argument: str, former: dict[str, str]) -> str:
    name, equals, value = argument.partition("=")
    return f"{former[name]}{equals}{value}" if name in former else argument
