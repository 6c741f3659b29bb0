"""docker/: no engine is assumed here, so the linter and what can be read must do."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker" / "Dockerfile"
COMPOSE = ROOT / "docker" / "compose.yaml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile and the rest of its line."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = re.sub(r"\\\n\s*", "", text)
    return [(name, rest) for line in text.splitlines() if line.strip() for name, _, rest in [line.partition(" ")]]


def every(name: str) -> list[str]:
    return [rest for each, rest in instructions() if each == name]


def compose() -> dict[str, Any]:
    content = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    assert set(content) == {"services"} and set(content["services"]) == {"snnc"}
    return dict(content["services"]["snnc"])


def lint(path: Path) -> subprocess.CompletedProcess[str]:
    # In the environment of the tests, whether or not that is on the path.
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed")
    return subprocess.run([program, "--no-color", str(path)], capture_output=True, text=True, check=False)


def test_the_linter_has_nothing_to_say() -> None:
    found = lint(FILE)
    assert (found.returncode, found.stdout) == (0, ""), found.stdout


def test_the_linter_would_say_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text(FILE.read_text(encoding="utf-8").replace(":3.10.18-slim-bookworm", ":latest"), encoding="utf-8")
    assert "DL3007" in lint(bad).stdout


def test_what_is_copied_is_there_and_reaches_the_engine() -> None:
    ignored, *kept = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert ignored == "*"
    copied = [source for line in every("COPY") for source in shlex.split(line)[:-1]]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in kept, source
    assert {each[1:] for each in kept if each.startswith("!")} == set(copied)


def test_the_links_at_the_top_lead_into_the_package() -> None:
    for name in ("compiler", "models", "runtime"):
        assert (ROOT / name).readlink() == Path("snnc") / name
    assert "snnc ./snnc" in every("COPY")


def test_versions_are_pinned() -> None:
    (base,) = every("FROM")
    version = re.fullmatch(r"python:(\d+\.\d+)\.\d+-[\w-]+(@sha256:[0-9a-f]{64})?", base)
    assert version is not None
    for package in PROJECT["optional-dependencies"]["lava"]:
        assert "==" in package and f"python_version == '{version[1]}'" in package
    installing = " ".join(every("RUN"))
    calls = re.findall(r"pip install [^&;]*", installing)
    assert len(calls) == 3
    assert "--require-hashes --requirement tools/requirements-docker.txt" in calls[0]
    assert "--constraint tools/constraints-lava.txt" in calls[1]
    # snnc itself brings nothing with it, and is built by what is there.
    assert "--no-deps --no-build-isolation" in calls[2]
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', installing)
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"]) and "lava" in extras


def test_the_image_has_the_files_of_the_default_environment() -> None:
    def blocks(path: Path) -> dict[str, str]:
        found = re.split(r"^(?=\w)", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
        return {each.partition("==")[0]: each.strip() for each in found}

    image, default = (blocks(ROOT / "tools" / f"requirements-{name}.txt") for name in ("docker", "lava"))
    assert {name: default.get(name) for name in image} == image, "run make lock"
    assert all("--hash=sha256:" in each for each in image.values())
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', " ".join(every("RUN")))
    wanted = [
        *PROJECT["dependencies"],
        *(line for each in extras.split(",") for line in PROJECT["optional-dependencies"][each]),
    ]
    missing = {re.split(r"[^\w-]", line)[0] for line in wanted} - set(image)
    assert not missing, "run make lock"
    # What builds snnc without isolation.
    assert {"setuptools", "wheel"} <= set(image)


def test_nobody_is_root() -> None:
    names = [name for name, _rest in instructions()]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name in ("RUN", "COPY"))
    (user,) = every("USER")
    assert user == "1000"
    service = compose()
    assert service["user"] == "${SNNC_USER:-1000:1000}"
    assert service["cap_drop"] == ["ALL"] and "no-new-privileges:true" in service["security_opt"]


def test_the_composition_builds_this_file() -> None:
    service = compose()
    context = (COMPOSE.parent / service["build"]["context"]).resolve()
    assert context == ROOT and context / service["build"]["dockerfile"] == FILE
    assert service["image"] == f"snnc:{PROJECT['version']}"
    assert service["working_dir"] == every("WORKDIR")[-1] == service["volumes"][0].rpartition(":")[2]
    known = {
        "build", "cap_drop", "image", "init", "security_opt", "shm_size", "user", "volumes", "working_dir",
    }  # fmt: skip
    assert set(service) == known


def test_snnc_is_on_the_path() -> None:
    assert PROJECT["scripts"]["snnc"] == "snnc.cli:main"
    (environment,) = every("ENV")
    assert "PATH=/opt/snnc/bin:$PATH" in environment.split()
    assert "python -m venv /opt/snnc " in every("RUN")[0]
