"""What users rely on: it changes only on purpose, and all of it is described, typed and in the reference."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from support.public_api import PUBLIC, description, exported, function_of, is_class, public_members

import snnc

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = ROOT / "tests" / "data" / "public_api.txt"
REFERENCE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")

EXPORTED = [(package, name) for package in PUBLIC for name in exported(package)]
# Sections that Google's style knows, where they begin a line of a docstring.
_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):\n((?:(?:[ ]{4}.*)?\n)*)", re.MULTILINE)


def value_of(package: str, name: str) -> Any:
    return exported(package)[name]


def sections(thing: Any) -> dict[str, str]:
    """The sections of a docstring, without their indentation."""
    text = f"{inspect.getdoc(thing) or ''}\n"
    return {found[1]: re.sub(r"^ {4}", "", found[2], flags=re.MULTILINE) for found in _SECTION.finditer(text)}


def described(section: str) -> set[str]:
    """The names that a section describes; several may share a line."""
    return {
        name
        for line in section.splitlines()
        if (found := re.match(r"(\w+(?:, \w+)*)(?: \(.*\))?: ", line))
        for name in found[1].split(", ")
    }


def lacking(function: Any, place: str) -> list[str]:
    """What the docstring of a function does not say."""
    signature = inspect.signature(function)
    parameters = set(signature.parameters) - {"self", "cls"}
    found = sections(function)
    problems = []
    if not inspect.getdoc(function):
        problems.append(f"{place}: no docstring")
    # What takes one argument may say all of it in its first sentence.
    if len(parameters) > 1 or "Args" in found:
        missing = parameters ^ described(found.get("Args", ""))
        problems += [f"{place}: Args and signature differ in {name}" for name in sorted(missing)]
    problems += [
        f"{place}: {each} is annotated badly"
        for each, parameter in signature.parameters.items()
        if parameter.annotation is parameter.empty and each not in ("self", "cls")
    ]
    if signature.return_annotation is signature.empty:
        problems.append(f"{place}: what it returns is not annotated")
    return problems


def test_the_public_interface_changes_only_on_purpose() -> None:
    before, now = SNAPSHOT.read_text(encoding="utf-8").splitlines(), description().splitlines()
    difference = "\n".join(difflib.unified_diff(before, now, "as it was", "as it is", lineterm="", n=2))
    assert not difference, f"{difference}\nIf this is meant: make public-api, and a line in CHANGELOG.md"


def test_the_snapshot_has_signatures_defaults_fields_and_members() -> None:
    text = SNAPSHOT.read_text(encoding="utf-8")
    for line in (
        "snnc.compile(\n    model: nn.Module | str | Path,\n    calibration: Data,\n    *,\n",
        "    timesteps: int | None = None,\n    threshold: ",
        "class snnc.Program(CompiledNetwork)\n    target: str\n",
        "    latency(self) -> int (property)",
        "snnc.models.resnet20(",
        "snnc.compiler.conversion.solver.solve(",
    ):
        assert line in text, line


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(snnc.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize(("package", "name"), EXPORTED)
def test_an_exported_name_is_described(package: str, name: str) -> None:
    value = value_of(package, name)
    place = f"{package}.{name}"
    if not (is_class(value) or inspect.isfunction(value)):
        return  # a table or a type: its comment stands in the source
    assert value.__doc__, place
    if not is_class(value):
        assert lacking(value, place) == []
        if inspect.signature(value).return_annotation != "None" and package == "snnc":
            assert "Returns" in sections(value), place
        if package == "snnc":
            assert "Raises" in sections(value), place
        return
    problems = []
    if dataclasses.is_dataclass(value):
        # Those of a class of ours below it are described there.
        documented = set().union(*(described(sections(each).get("Attributes", "")) for each in value.__mro__[:-1]))
        fields = {field.name for field in dataclasses.fields(value)}
        problems += [f"{place}: Attributes and fields differ in {each}" for each in sorted(fields ^ documented)]
    for each, member in public_members(value):
        problems += lacking(function_of(member), f"{place}.{each}")
    assert problems == []


@pytest.mark.parametrize(("package", "name"), EXPORTED)
def test_an_exported_name_is_in_the_reference(package: str, name: str) -> None:
    assert re.search(rf"^::: {re.escape(package)}\.{name}$", REFERENCE, re.MULTILINE), f"docs/api.md lacks {name}"


def test_the_reference_has_nothing_else() -> None:
    named = re.findall(r"^::: (\S+)\.(\w+)$", REFERENCE, re.MULTILINE)
    assert [each for each in named if each not in EXPORTED] == []
    assert len(named) == len(set(named))
