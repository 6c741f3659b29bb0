"""From what a ``snnc.toml`` holds to the options of a command: paths in their place, and no code without trust."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snnc.cli.configuration.keys import ARCHITECTURE, COMMAND_LINE_ONLY, DATA, KEYS, PATH, Plain
from snnc.common.errors import OptionError
from snnc.common.import_path import is_reference

__all__ = ["FILE_NAME", "Configuration", "find_configuration", "options_for", "read_configuration"]

if sys.version_info >= (3, 11):
    import tomllib
else:  # what Python 3.11 took into its library
    import tomli as tomllib


FILE_NAME = "snnc.toml"
# A written one has some kilobytes.
_BYTES_MAXIMUM = 1 << 20
# How people write T.
_OTHER_NAMES = {"t": "timesteps", "calibration": "calib", "architecture": "arch", "per-layer": "per-channel"}


@dataclass(frozen=True)
class Configuration:
    """What a ``snnc.toml`` holds.

    Attributes:
        path: The file.
        common: Keys and values for all commands.
        commands: Keys and values for one command each.
    """

    path: Path
    common: Mapping[str, Plain]
    commands: Mapping[str, Mapping[str, Plain]]

    def options(self, command: str, known: Collection[str], own: Collection[str] = ()) -> dict[str, Plain]:
        """Return the options of a command; those of its own table count more than the common ones.

        Args:
            command: Its name.
            known: Long names of its options.
            own: Those that count only in its own table.
        """
        common = {name: value for name, value in self.common.items() if name not in own}
        return {name: value for name, value in {**common, **self.commands.get(command, {})}.items() if name in known}


def find_configuration(beside: Sequence[Path]) -> Path | None:
    """Find the ``snnc.toml`` to use: that beside the first of the files which has one, else in the working folder.

    Args:
        beside: Models and networks, as given.
    """
    for folder in (*(path.parent for path in beside), Path()):
        if (folder / FILE_NAME).is_file():
            return folder / FILE_NAME
    return None


def read_configuration(path: Path, commands: Mapping[str, Collection[str]]) -> Configuration:
    """Read a file, and check all of it.

    Args:
        path: The file.
        commands: The commands that take options from a file, each with the long names of its options.

    Returns:
        What the file holds, as options take it: lists are joined by commas. Paths are as they stand there.

    Raises:
        OptionError: The file cannot be read, is not TOML, holds a key that is not known or cannot be set there, or a
            value of the wrong type.
    """
    content = _parsed(path)
    tables = {name: content.pop(name) for name in list(content) if name in commands}
    common = _checked(content, path, "", set().union(*commands.values()), commands)
    own = {}
    for command, table in tables.items():
        if not isinstance(table, dict):
            raise _error(path, f"{command} is not a table", expected=f"[{command}] and options below it")
        own[command] = _checked(table, path, f"{command}.", commands[command], {})
    return Configuration(path, common, own)


def _parsed(path: Path) -> dict[str, object]:
    try:
        if path.is_dir():
            raise OptionError("is a folder", where=str(path), expected="a TOML file")
        with path.open("rb") as file:
            content = file.read(_BYTES_MAXIMUM + 1)
    except FileNotFoundError:
        raise OptionError("no such file", where=str(path), advice="snnc init MODEL writes one") from None
    except OSError as error:
        raise OptionError("cannot be read", where=str(path), found=(error.strerror or str(error)).lower()) from error
    if len(content) > _BYTES_MAXIMUM:
        raise OptionError("is too large", where=str(path), expected=f"at most {_BYTES_MAXIMUM:,} bytes")
    try:
        return tomllib.loads(content.decode("utf-8"))
    # The last one: brackets in brackets in brackets.
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise OptionError("is not TOML", where=str(path), found=str(error)) from error


def _checked(
    table: Mapping[str, object],
    path: Path,
    prefix: str,
    names: Collection[str],
    commands: Mapping[str, Collection[str]],
) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    known = [name for name in KEYS if name in names]
    for name, value in table.items():
        if name in COMMAND_LINE_ONLY:
            raise _error(
                path,
                f"{prefix}{name} cannot be set in a file, since {COMMAND_LINE_ONLY[name]}",
                advice=f"take it out, and give --{name} on the command line where it is wanted",
            )
        if name not in known:
            raise _unknown(path, prefix, name, known, commands)
        option = KEYS[name].from_file(value)
        if option is None:
            raise _error(
                path,
                f"{prefix}{name} has a value of the wrong type",
                expected=KEYS[name].expected,
                found=_shown(value),
            )
        found[name] = option
    return found


def _unknown(
    path: Path, prefix: str, name: str, known: Sequence[str], commands: Mapping[str, Collection[str]]
) -> OptionError:
    lower = name.lower().replace("_", "-")
    near = difflib.get_close_matches(lower, [*known, *commands], 1) or difflib.get_close_matches(lower, known, 1, 0.4)
    meant = _OTHER_NAMES.get(lower)
    meant = meant if meant in known else next(iter(near), None)
    elsewhere = f"{prefix}{name}" if prefix else name
    if meant is None:
        return _error(path, f"{elsewhere} is not known", expected=f"one of {', '.join(known)}")
    as_written = f"[{meant}]" if meant in commands else f"{prefix}{meant}"
    return _error(path, f"{elsewhere} is not known", advice=f"did you mean {as_written}?")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _error(path: Path, problem: str, **details: str) -> OptionError:
    return OptionError(problem, where=str(path), **details)


def options_for(
    configuration: Configuration,
    command: str,
    known: Collection[str],
    ignored: Collection[str],
    *,
    own: Collection[str] = (),
    trust: bool,
) -> dict[str, Plain]:
    """Return the options that a file gives to a command, by their long names.

    Args:
        configuration: The file.
        command: The command's name.
        known: Long names of its options.
        ignored: Those of which the file does not count, such as what stands on the command line.
        own: Those that count only in the command's own table.
        trust: Whether the user trusts the file to name Python code, which is then run.

    Raises:
        OptionError: The file names Python code and is not trusted, or a home folder that there is not.
    """
    found: dict[str, Plain] = {}
    for name, value in configuration.options(command, known, own).items():
        if name in ignored:
            continue
        placed = _placed(configuration.path, name, value)
        if not trust and _names_code(name, placed):
            raise OptionError(
                f"{name} names Python code, which a file may not run",
                where=str(configuration.path),
                found=repr(value),
                advice=f"give --{name} {value} on the command line"
                + (", or add --trust if you trust the file" if "trust" in known else ""),
            )
        found[name] = placed
    return found


def _placed(path: Path, name: str, value: Plain) -> Plain:
    """Return the value with its path, where it has one, as seen from the working folder."""
    if not isinstance(value, str):
        return value
    try:
        if KEYS[name] is PATH:
            return str(path.parent / Path(value).expanduser())
        if KEYS[name] is DATA:
            from snnc.models.data.load import relocated

            return relocated(value, path.parent)
    except RuntimeError as error:
        raise OptionError(f"{name}: {error}", where=str(path), found=repr(value)) from error
    return value


def _names_code(name: str, value: Plain) -> bool:
    # What is no reference runs nothing, whatever else it is.
    if not isinstance(value, str) or not is_reference(value):
        return False
    if KEYS[name] is ARCHITECTURE:
        from snnc.inputs.architectures import named

        return named(value) is None
    if KEYS[name] is DATA:
        from snnc.models.data.load import names_code

        return names_code(value)
    return False
