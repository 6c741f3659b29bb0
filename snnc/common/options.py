"""Options of a verb, described once for Python, the command line, ``snnc.toml``, files and documentation.

The options of a verb are a frozen dataclass whose fields are made by :func:`option`::

    @documented
    @dataclass(frozen=True, kw_only=True)
    class WalkOptions:
        '''What shapes a walk.'''

        pace: Literal["slow", "fast"] = option("slow", help="How fast to walk.", panel="Walking")
        steps: int | None = option(None, flags=("-n", "--steps"), metavar="N", help="Steps to take.", usual="all")

This declares everything there is to know, and everything else is made of it:

- **Python.** :func:`snnc.common.signatures.called_with` gives a function the signature of a dataclass that derives from
  the options and adds the arguments that are none (a model, data, ``progress``, and ``options`` for all at once), for
  type checkers as well as for ``inspect.signature``. It writes the options into the docstring of the function, as
  ``documented`` (beside it) does into that of the dataclass.
- **The command line.** A command whose parameter is annotated with such a dataclass gets a parameter for each of its
  fields (:func:`snnc.cli.parameters.with_options`), with the flags, metavar, help and panel that stand here.
- **snnc.toml.** A key is the long flag without its dashes, its value of the kind that belongs to the field's type
  (:mod:`snnc.common.option_kinds`). ``file=False`` (or a reason) leaves an option to the command line.
- **Provenance.** :func:`recorded` gives the options that shape a result as plain values, :func:`from_recorded` makes
  the options of them again (of the texts that old files hold, too), and :func:`arguments` writes them as a command
  line takes them.

Help is written once, in the form of a docstring: names in double backticks, which the command line leaves out. It says
nothing of the default, which is appended where it is no obvious value: ``usual`` names what None stands for.

Modules that declare options are imported when ``snnc --help`` is: they must import neither torch nor numpy.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from snnc.common.errors import OptionError
from snnc.common.option_kinds import (
    INTEGER,
    INTEGERS,
    NAMES,
    NUMBER,
    NUMBERS,
    PATH,
    SWITCH,
    TEXT,
    Kind,
    Plain,
    Recorded,
)

__all__ = [
    "Option",
    "arguments",
    "check_choices",
    "from_recorded",
    "given",
    "inherited",
    "option",
    "options_of",
    "recorded",
    "taken",
    "unusual",
]

_KEY = "snnc.option"


@dataclass(frozen=True)
class _Spec:
    """What :func:`option` was told, as it stands in the metadata of a field."""

    help: str
    flags: tuple[str, ...]
    metavar: str | None
    panel: str
    usual: str | None
    only: str | tuple[str, ...]
    shapes: bool
    silent: bool
    file: bool | str
    shared: bool
    typed: bool
    old: tuple[str, ...]
    wrong: str
    kind: Kind | None
    names: Callable[[], tuple[str, ...]] | None


@dataclass(frozen=True)
class Option:
    """An option, as a field of a dataclass declares it.

    Attributes:
        name: The field, which is the argument in Python.
        default: What it is where nothing is given.
        type: Its type, without None.
        optional: Whether None is a value.
        help: What it does, in the form of a docstring.
        flags: Its names on the command line, the long one last; of what switches something on or off, the long one is
            ``--on/--off``. Empty: not for the command line.
        metavar: What its value is called there; None: its choices, or a word for its type.
        panel: The group of options that help shows it in.
        usual: What None, or an empty default, stands for, in words.
        only: The kinds of things (neurons, files) that it is for; none: all.
        shapes: Whether the result depends on it, so that files record it.
        silent: Whether files record it only where it is not the default.
        file: Whether a ``snnc.toml`` may set it; a text says why not.
        shared: Whether it may stand there above the tables, for all commands.
        old: Names that it had, which are still taken: as an argument, a flag and a key.
        wrong: What is said of a value that is none of its choices.
        kind: What values it takes.
        names: Gives the values that there are where its type, a text, does not name them.
    """

    name: str
    default: object
    type: Any
    optional: bool
    help: str
    flags: tuple[str, ...]
    metavar: str | None
    panel: str
    usual: str | None
    only: tuple[str, ...]
    shapes: bool
    silent: bool
    file: bool | str
    shared: bool
    old: tuple[str, ...]
    wrong: str
    kind: Kind
    names: Callable[[], tuple[str, ...]] | None = None

    @property
    def key(self) -> str:
        """The key in a ``snnc.toml``: the long flag without dashes."""
        return self.flags[-1].partition("/")[0].removeprefix("--") if self.flags else self.name.replace("_", "-")

    @property
    def choices(self) -> tuple[Plain, ...]:
        """All values that it takes, where its type names them; else none."""
        return () if self.is_open else self.known

    @property
    def known(self) -> tuple[Plain, ...]:
        """The values that its type or a registry names, be there others or not."""
        if self.names is not None:
            return self.names()
        return tuple(value for each in _members(self.type) if get_origin(each) is Literal for value in get_args(each))

    @property
    def is_open(self) -> bool:
        """Whether others than the known values may be right, such as those that a plugin registers."""
        return str in _members(self.type)

    @property
    def where(self) -> str:
        """How errors name it: in Python, and on the command line."""
        return f"{self.name} (--{self.key})" if self.flags else self.name

    def shown(self, value: object) -> str:
        """Return the value as errors show it."""
        plain = self.kind.plain(value)
        return ",".join(map(str, plain)) if isinstance(plain, tuple) else str(plain)

    def written(self, value: object) -> list[str]:
        """Return the value as a command line has it: the flag, and what follows."""
        flag = self.flags[0] if self.flags[0].startswith("-") else self.flags[-1]
        if isinstance(value, bool):
            on, _, off = self.flags[-1].partition("/")
            return [on] if value else [off] if off else []
        plain = self.kind.plain(value)
        return [flag, ",".join(map(_short, plain)) if isinstance(plain, tuple) else _short(plain)]


def _short(value: Plain) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def option(
    default: Any,
    *,
    help: str,
    flags: tuple[str, ...] = (),
    metavar: str | None = None,
    panel: str = "Options",
    usual: str | None = None,
    only: str | tuple[str, ...] = (),
    shapes: bool = False,
    silent: bool = False,
    file: bool | str = True,
    shared: bool = True,
    typed: bool = True,
    old: tuple[str, ...] = (),
    wrong: str = "is none of the choices",
    kind: Kind | None = None,
    names: Callable[[], tuple[str, ...]] | None = None,
) -> Any:
    """Declare a field of a dataclass as an option.

    Args:
        default: What it is where nothing is given; the same everywhere.
        help: What it does, for all who read of it: sentences with a full stop, names in double backticks.
        flags: Its names on the command line, the long one last; none given: ``--name``.
        metavar: What its value is called there; None: its choices, or a word for its type.
        panel: The group of options that help shows it in.
        usual: What None, or an empty default, stands for, in words.
        only: The kind of thing (a kind of neuron, a kind of file) that it is for, or several; none: all.
        shapes: Whether the result depends on it, so that files record it.
        silent: Whether files record it only where it is not the default.
        file: Whether a ``snnc.toml`` may set it; a text says why not.
        shared: Whether it may stand there above the tables, for all commands; False: in the command's own table alone,
            since for others its name means something else.
        typed: Whether it can be typed: False leaves it to Python.
        old: Names that it had, which are still taken.
        wrong: What is said of a value that is none of its choices.
        kind: What values it takes; None: as its type says.
        names: Gives the values that there are, where a registry knows them and the type is a text; who reads the option
            makes sure that it has one of them.

    Returns:
        The field; typed so that a dataclass takes it as the default of any type.
    """
    spec = _Spec(help, flags, metavar, panel, usual, only, shapes, silent, file, shared, typed, old, wrong, kind, names)
    return dataclasses.field(default=default, metadata={_KEY: spec})


_SAME: Any = object()


def inherited(kind: Any, name: str, default: Any = _SAME, **differing: Any) -> Any:
    """Declare an option of another dataclass again, with what differs.

    Args:
        kind: The other dataclass: a base class, or one of another verb.
        name: The option.
        default: What it is where nothing is given; left out: as there.
        differing: What else differs, as :func:`option` takes it. ``usual`` counts no more where the default differs and
            is no None.

    Returns:
        The field, as :func:`option` does.
    """
    field = next(field for field in dataclasses.fields(kind) if field.name == name)
    if default is not _SAME and default is not None:
        differing = {"usual": None, **differing}
    spec = dataclasses.replace(field.metadata[_KEY], **differing)
    return dataclasses.field(default=field.default if default is _SAME else default, metadata={_KEY: spec})


def options_of(kind: Any) -> tuple[Option, ...]:
    """Return the options that a dataclass declares, in order; fields that :func:`option` did not make are left out."""
    return _options_of(kind)


@functools.cache
def _options_of(kind: Any) -> tuple[Option, ...]:
    found = []
    for field in dataclasses.fields(kind):
        spec = field.metadata.get(_KEY)
        if spec is None:
            continue
        bare, optional = _without_none(_hint(kind, field.name))
        long = f"--{field.name.replace('_', '-')}"
        found.append(
            Option(
                name=field.name,
                default=field.default,
                type=bare,
                optional=optional,
                help=spec.help,
                flags=(spec.flags or (long,)) if spec.typed else (),
                metavar=spec.metavar,
                panel=spec.panel,
                usual=spec.usual,
                only=(spec.only,) if isinstance(spec.only, str) else spec.only,
                shapes=spec.shapes,
                silent=spec.silent,
                file=spec.file if spec.typed else False,
                shared=spec.shared,
                old=spec.old,
                wrong=spec.wrong,
                kind=spec.kind or _kind(bare),
                names=spec.names,
            )
        )
    return tuple(found)


def _hint(kind: Any, name: str) -> Any:
    """Return the type of a field, as the module says that declares it."""
    owner = next(each for each in kind.__mro__ if name in inspect.get_annotations(each))
    only = types.SimpleNamespace(__annotations__={name: inspect.get_annotations(owner)[name]})
    return get_type_hints(only, vars(sys.modules[owner.__module__]))[name]


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    parts = tuple(each for each in get_args(hint) if each is not type(None))
    return (parts[0] if len(parts) == 1 else Union[parts]), len(parts) < len(get_args(hint))  # noqa: UP007


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _kind(hint: Any) -> Kind:
    """Return the kind of values that belongs to a type."""
    members = _members(hint)
    if any(get_origin(each) in (Sequence, tuple) for each in members):
        inner = next(get_args(each)[0] for each in members if get_origin(each) in (Sequence, tuple))
        return {float: NUMBERS, int: INTEGERS}.get(inner, NAMES)
    if any(get_origin(each) is Literal for each in members):
        literal = next(each for each in members if get_origin(each) is Literal)
        return INTEGER if isinstance(get_args(literal)[0], int) else TEXT
    if Path in members:
        return PATH
    return {bool: SWITCH, int: INTEGER, float: NUMBER, str: TEXT}[hint]


def check_choices(options: Any) -> None:
    """Make sure that every option which names its values has one of them.

    Raises:
        OptionError: One has not.
    """
    for each in options_of(type(options)):
        value = getattr(options, each.name)
        # True is no 1 here.
        right = any(value == choice and type(value) is type(choice) for choice in each.choices)
        if each.choices and not right and not (value is None and each.optional):
            text = isinstance(each.choices[0], str)
            raise OptionError(
                each.wrong,
                where=each.where,
                expected=(", " if text else " or ").join(map(str, each.choices)),
                found=repr(value),
            )


def unusual(options: Any) -> Iterator[tuple[Option, object]]:
    """Yield the options that are not as usual, and their values."""
    for each in options_of(type(options)):
        value = getattr(options, each.name)
        if value is not None and each.kind.plain(value) != (
            each.default if each.default is None else each.kind.plain(each.default)
        ):
            yield each, value


def given(options: Any, only: str) -> Iterator[tuple[Option, object]]:
    """Yield the options for one kind of thing alone that are not as usual, and their values.

    Args:
        options: All options.
        only: The kind of thing, as :func:`option` was told.
    """
    return ((each, value) for each, value in unusual(options) if only in each.only)


Options = TypeVar("Options")


def taken(kind: type[Options], source: object) -> Options:
    """Return the options of a kind out of an object that has all of them as attributes."""
    return kind(**{each.name: getattr(source, each.name) for each in options_of(kind)})


def recorded(options: Any, *, without: str | None = None) -> dict[str, Recorded]:
    """Return the options that shape a result as plain values, by name; what is None is left out.

    Args:
        options: The options.
        without: Leave out what is for this kind of thing only.
    """
    found = {}
    for each in options_of(type(options)):
        value = getattr(options, each.name)
        if not each.shapes or value is None or without in each.only:
            continue
        if not (each.silent and value == each.default):
            found[each.name] = each.kind.plain(value)
    return found


def from_recorded(kind: type[Options], values: Mapping[str, object]) -> Options:
    """Return the options of which :func:`recorded` gave the plain values; others are as usual.

    Args:
        kind: The options' dataclass.
        values: By name; also as texts, in which several values have spaces or commas between them.

    Raises:
        OptionError: A value cannot be understood. Names that are not known are passed over.
    """
    known = {each.name: each for each in options_of(kind)}
    return kind(**{name: _read(known[name], value) for name, value in values.items() if name in known})


def _read(option: Option, value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, str) or option.kind is TEXT:
        return value
    if option.kind in (NUMBERS, INTEGERS, NAMES):
        text = ",".join(value.replace(",", " ").split())
        return option.kind.from_text(text, option.where) if text and option.kind.from_text else ()
    if option.kind is SWITCH and value in ("True", "False"):
        return value == "True"
    try:
        return {INTEGER: int, NUMBER: float}.get(option.kind, str)(value)
    except ValueError:
        raise OptionError(
            "cannot be understood", where=option.where, expected=option.kind.expected, found=repr(value)
        ) from None


def arguments(kind: type, values: Mapping[str, object]) -> list[str]:
    """Return options as a command line takes them.

    Args:
        kind: Their dataclass.
        values: By name: values, or the texts of old files; what is empty is left out.
    """
    found = []
    for each in options_of(kind):
        if each.name in values:
            value = _read(each, values[each.name])
            if value is not None and value != ():
                found += each.written(value)
    return found
