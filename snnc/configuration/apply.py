"""From what a ``snnc.toml`` holds to the options of a command: paths in their place, and no code without trust."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from snnc.configuration.keys import ARCHITECTURE, DATA, KEYS, PATH, Option
from snnc.configuration.read import Configuration
from snnc.errors import OptionError
from snnc.references import is_reference

__all__ = ["options_for"]


def options_for(
    configuration: Configuration, command: str, known: Collection[str], ignored: Collection[str], *, trust: bool
) -> dict[str, Option]:
    """The options that a file gives to a command, by their long names.

    Args:
        configuration: The file.
        command: The command's name.
        known: Long names of its options.
        ignored: Those of which the file does not count, such as what stands on the command line.
        trust: Whether the user trusts the file to name Python code, which is then run.

    Raises:
        OptionError: The file names Python code and is not trusted, or a home folder that there is not.
    """
    found: dict[str, Option] = {}
    for name, value in configuration.options(command, known).items():
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


def _placed(path: Path, name: str, value: Option) -> Option:
    """The value with its path, where it has one, as seen from the working folder."""
    if not isinstance(value, str):
        return value
    try:
        if KEYS[name] is PATH:
            return str(path.parent / Path(value).expanduser())
        if KEYS[name] is DATA:
            from snnc.models.data.sources import relocated  # torch comes with it, which takes seconds

            return relocated(value, path.parent)
    except RuntimeError as error:
        raise OptionError(f"{name}: {error}", where=str(path), found=repr(value)) from error
    return value


def _names_code(name: str, value: Option) -> bool:
    # What is no reference runs nothing, whatever else it is.
    if not isinstance(value, str) or not is_reference(value):
        return False
    if KEYS[name] is ARCHITECTURE:
        from snnc.architectures import named

        return named(value) is None
    if KEYS[name] is DATA:
        from snnc.models.data.sources import names_code

        return names_code(value)
    return False
