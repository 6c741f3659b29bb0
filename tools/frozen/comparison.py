"""What differs between two lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SKIPPED = "skipped"


def differences(old: Mapping[str, Any], new: Mapping[str, Any], *, partly: bool = False) -> tuple[list[str], list[str]]:
    """Compares the entries of two lists.

    Args:
        old: What list.json holds.
        new: The same, made now.
        partly: Whether ``new`` was made of some names only, so that others are not missed.

    Returns:
        What differs, a line for each entry and kind of digest, kind by kind; and remarks on what could not be compared.
    """
    found: dict[str, list[str]] = {}
    remarks: list[str] = []
    for name in sorted({*old["environment"], *new["environment"]}):
        before, now = old["environment"].get(name), new["environment"].get(name)
        if before != now:
            remarks.append(f"{name} was {before} and is {now}")
    before_all, now_all = old["entries"], new["entries"]
    for name in sorted({*before_all, *now_all}):
        before, now = before_all.get(name), now_all.get(name)
        if before is None or now is None:
            if before is None:
                found.setdefault("entry", []).append(f"entry {name}: is new")
            elif not partly:
                found.setdefault("entry", []).append(f"entry {name}: is gone")
            continue
        if SKIPPED in before or SKIPPED in now:
            remarks.append(f"{name} was not compared: {before.get(SKIPPED) or now.get(SKIPPED)}")
            continue
        for kind in sorted({*before, *now}):
            one, other = before.get(kind), now.get(kind)
            if SKIPPED in (one, other):
                remarks.append(f"{name} was not compared: no {kind}")
            elif one != other:
                found.setdefault(kind, []).append(f"{kind} {name}: {_short(one)} became {_short(other)}")
    return [line for kind in sorted(found) for line in found[kind]], remarks


def _short(value: str | None) -> str:
    """A digest by its beginning; a message whole."""
    if value is None:
        return "nothing"
    return value if " " in value else value[:12]
