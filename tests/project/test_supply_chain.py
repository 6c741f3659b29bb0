"""Pins, hashes, least versions and what SECURITY.md explains."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = ROOT / "tools" / "requirements-lava.txt"
PYTHON_310 = {"python_version": "3.10", "python_full_version": "3.10.13", "sys_platform": "linux", "extra": ""}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(path: Path) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([^ ;\\\n]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {normalised(name): version for name, version in found}


def needed(*extras: str) -> list[Requirement]:
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    every = [Requirement(line) for line in lines]
    return [each for each in every if each.marker is None or each.marker.evaluate(PYTHON_310)]


def test_the_default_environment_is_pinned_with_hashes() -> None:
    locked = pins(LOCK)
    for each in needed("lava", "dev", "docs"):
        assert locked[normalised(each.name)] in each.specifier, f"run make lock: {each}"
    for line in (ROOT / "tools" / "constraints-lava.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            bound = Requirement(line)
            assert locked[normalised(bound.name)] in bound.specifier, f"run make lock: {bound}"
    text = LOCK.read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[\w])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(locked)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}\b", block) for block in blocks)
    # Where files come from is the user's configuration.
    assert "://" not in text and "index-url" not in text


def test_the_least_versions_are_those_of_the_project() -> None:
    least = pins(ROOT / "tools" / "constraints-least.txt")
    bounds = {}
    for each in needed("nir", "onnx", "vision"):
        (lower,) = (one.version for one in each.specifier if one.operator == ">=")
        bounds[normalised(each.name)] = Version(lower)
    assert {name: Version(version) for name, version in least.items()} == bounds


def advisory(folder: Path, package: str, version: str, name: str) -> None:
    place = folder / "vulns" / package
    place.mkdir(parents=True, exist_ok=True)
    place.joinpath(f"{name}.yaml").write_text(
        f"id: {name}\naliases: [CVE-2099-1]\naffected:\n- package: {{name: {package}}}\n  versions: ['{version}']\n"
    )


@pytest.mark.parametrize("name, code", [("PYSEC-2099-1", 1), ("CVE-2025-32434", 0)])
def test_the_audit_fails_for_what_is_not_explained(tmp_path: Path, name: str, code: int) -> None:
    torch = pins(LOCK)["torch"]
    advisory(tmp_path, "torch", torch, name)
    advisory(tmp_path, "numpy", "0.1", "PYSEC-2099-2")
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "audit", "--advisories", tmp_path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert f"torch {torch}: CVE-2099-1, {name}" in done.stdout.replace(f"{name}, CVE-2099-1", f"CVE-2099-1, {name}")
    assert "PYSEC-2099-2" not in done.stdout and ("NOT EXPLAINED" in done.stdout) == bool(code)


@pytest.mark.parametrize("specifier, code", [("<99", 1), ("<1.0.6", 0)])
def test_the_audit_reads_specifiers_too(tmp_path: Path, specifier: str, code: int) -> None:
    (tmp_path / "data").mkdir()
    asteval = pins(LOCK)["asteval"]
    known = {"Asteval": ["<0.1", specifier], "numpy": ["<0.1"]}
    (tmp_path / "data" / "insecure.json").write_text(json.dumps({"$meta": {"timestamp": 0}, **known}))
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "audit", "--advisories", tmp_path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert f"asteval {asteval}: asteval " in done.stdout and "numpy" not in done.stdout
    assert ("NOT EXPLAINED" in done.stdout) == bool(code)


def test_an_audit_without_advisories_does_not_pass(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "audit", "--advisories", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and "expected a clone" in done.stderr
