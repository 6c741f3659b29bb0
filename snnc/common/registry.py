"""Things of which a folder holds one file each: adding one is adding a file.

The file's name is the name that users give, with dashes for underscores; its docstring's first sentence is the help. So
both are known without importing anything, which command lines need. The file itself registers what it defines, with its
traits, once it is imported.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar


def import_all(package: ModuleType) -> tuple[ModuleType, ...]:
    """Import all modules that lie in a package's folder, and return them, in alphabetical order.

    Args:
        package: The package, e.g. ``snnc.models.data.sources``; packages in it count as modules.
    """
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."))
    return tuple(map(importlib.import_module, names))


def declared(folder: Path, *names: str) -> Iterator[tuple[Any, ...]]:
    """Yield what the files of a folder set some names to, without importing the files.

    Args:
        folder: The folder; files that do not set all of the names are passed over.
        names: The names, which a file sets at its top to a value that is written out.
    """
    for file in sorted(folder.glob("*.py")):
        found = {}
        for each in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name) and each.targets[0].id in names:
                found[each.targets[0].id] = ast.literal_eval(each.value)
        if len(found) == len(names):
            yield tuple(found[name] for name in names)


class Ordered(Protocol):
    """What can be registered.

    Attributes:
        order: Its place among the others.
    """

    @property
    def order(self) -> int:
        """The place among the others: small before large."""
        ...


Entry = TypeVar("Entry", bound=Ordered)


class Registry(Mapping[str, Entry]):
    """What the files of a package registered, by name, in the order that they declare.

    The files are imported when an entry is first asked for.

    Args:
        package: The package, e.g. ``snnc.compiler.conversion.methods``.
        folder: Its folder.
    """

    def __init__(self, package: str, folder: Path) -> None:
        self._package = package
        self._folder = folder
        self._entries: dict[str, Entry] = {}
        self._is_loaded = False

    def add(self, name: str, entry: Entry) -> None:
        """Register an entry under its name, which no other has."""
        assert name not in self._entries, f"{name} is registered twice"
        self._entries[name] = entry

    def remove(self, name: str) -> None:
        """Take an entry out again, which tests need."""
        del self._entries[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in alphabetical order, without importing the files."""
        return tuple(sorted({*self._entries, *(each.stem.replace("_", "-") for each in self._files())}))

    def help(self, name: str) -> str:
        """Return the first sentence of the docstring of an entry's file, without importing it."""
        source = (self._folder / f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
        return (ast.get_docstring(ast.parse(source)) or "").split("\n\n")[0].replace("\n", " ")

    def described(self) -> str:
        """Return all names with their help, in the form of a docstring: what the help of an option lists."""
        found = ((name, self.help(name).rstrip(".")) for name in self.names)
        return ", ".join(f"``{name}`` ({text[:1].lower()}{text[1:]})" for name, text in found)

    def _files(self) -> list[Path]:
        return [each for each in self._folder.glob("*.py") if each.stem != "__init__"]

    def _loaded(self) -> dict[str, Entry]:
        if not self._is_loaded:
            self._is_loaded = True
            for each in sorted(self._files()):
                importlib.import_module(f"{self._package}.{each.stem}")
        return self._entries

    def __getitem__(self, name: str) -> Entry:
        """Return an entry."""
        return self._loaded()[name]

    def __iter__(self) -> Iterator[str]:
        """Return the names in the order that the entries declare."""
        entries = self._loaded()
        return iter(sorted(entries, key=lambda name: (entries[name].order, name)))

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._loaded())
