"""The wheel: whole from a checkout without symbolic links and from an unpacked source archive, or not at all."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINKS = ("compiler", "models", "runtime")
# What is no Python and yet has to be installed.
DATA = {"snnc/py.typed", "snnc/reporting/page/page.html.jinja", "snnc/reporting/page/style.css"}


def tracked() -> list[str]:
    """Paths of the repository that git tracks or would track."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("only a git checkout says which files are the repository's")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(path for path in set(listed.split("\0")) if path and (ROOT / path).exists())


def sources() -> set[str]:
    return {path for path in tracked() if path.startswith("snnc/") and path.endswith(".py")}


def checkout(folder: Path, links: str) -> Path:
    """A copy of the repository, its links 'text' files, the way git for Windows writes them, or 'gone'."""
    for path in tracked():
        source, target = ROOT / path, folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not source.is_symlink():
            shutil.copyfile(source, target)
        elif links == "text":
            target.write_text(str(source.readlink()), encoding="utf-8")
    return folder


def build(folder: Path, what: str) -> subprocess.CompletedProcess[str]:
    """What pip and `python -m build` do without isolation: calls the backend's hook in an interpreter of its own."""
    code = f"from setuptools import build_meta; print(build_meta.build_{what}('dist'))"
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)


def built(folder: Path, what: str) -> Path:
    done = build(folder, what)
    assert done.returncode == 0, done.stderr
    return folder / "dist" / done.stdout.splitlines()[-1]


def unpacked(wheel: Path, folder: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def imported(folder: Path) -> list[str]:
    """Where an interpreter that has this folder first on its path finds the three packages."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import snnc.compiler.pipeline, snnc.runtime.simulator, snnc.models.data\n"
        "print(snnc.compiler.__file__, snnc.runtime.__file__, snnc.models.__file__, sep='\\n')"
    )
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def check_whole(wheel: Path, folder: Path) -> None:
    assert unpacked(wheel, folder) == sources() | DATA
    assert imported(folder) == [
        str(folder / "snnc" / name / "__init__.py") for name in ("compiler", "runtime", "models")
    ]


@pytest.fixture(scope="module")
def without_links(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("checkout") / "snnc", "text")


def test_a_checkout_whose_links_are_text_files_builds_a_whole_wheel(without_links: Path, tmp_path: Path) -> None:
    for name in LINKS:
        assert (without_links / name).read_text(encoding="utf-8") == f"snnc/{name}"
    check_whole(built(without_links, "wheel"), tmp_path / "installed")


def test_an_unpacked_source_archive_builds_a_whole_wheel(tmp_path: Path) -> None:
    # The archive is itself built from a copy in which nothing stands where the links were.
    folder = checkout(tmp_path / "snnc-main", "gone")
    assert not any((folder / name).exists() for name in LINKS)
    shutil.unpack_archive(built(folder, "sdist"), tmp_path / "unpacked")
    (source,) = (tmp_path / "unpacked").iterdir()
    check_whole(built(source, "wheel"), tmp_path / "installed")


def test_every_room_of_the_tree_is_asked_for() -> None:
    (rooms,) = [
        ast.literal_eval(line.value)
        for line in ast.parse((ROOT / "setup.py").read_text(encoding="utf-8")).body
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "ROOMS"
    ]
    assert list(rooms) == sorted({path.split("/")[1] for path in sources() if path.count("/") > 1})


@pytest.mark.parametrize("room", LINKS)
def test_a_wheel_without_a_room_is_not_built(room: str, tmp_path: Path) -> None:
    folder = checkout(tmp_path / "snnc", "text")
    shutil.rmtree(folder / "snnc" / room)
    done = build(folder, "wheel")
    assert done.returncode != 0
    assert f"the wheel would lack snnc.{room}: the checkout or archive is not whole" in done.stderr
    assert not list(folder.glob("dist/*.whl"))


def test_a_folder_that_setuptools_leaves_out_is_named(tmp_path: Path) -> None:
    folder = checkout(tmp_path / "snnc", "text")
    (folder / "snnc" / "runtime" / "netx" / "__init__.py").unlink()
    done = build(folder, "wheel")
    assert done.returncode != 0 and "the wheel would lack snnc.runtime.netx:" in done.stderr


def test_an_editable_installation_finds_the_real_folders(without_links: Path, tmp_path: Path) -> None:
    unpacked(built(without_links, "editable"), tmp_path / "installed")
    code = (
        "import importlib.util, site, sys; sys.path.append(sys.argv[1]); site.addsitedir(sys.argv[1])\n"
        "for name in ('compiler', 'runtime', 'models'): print(importlib.util.find_spec(f'snnc.{name}').origin)\n"
        "print([importlib.util.find_spec(name) for name in ('compiler', 'runtime', 'models')])"
    )
    # -S: an snnc that is installed here does not stand in for it.
    command = [sys.executable, "-I", "-S", "-c", code, str(tmp_path / "installed")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    *origins, top = done.stdout.splitlines()
    assert origins == [
        str(without_links / "snnc" / name / "__init__.py") for name in ("compiler", "runtime", "models")
    ], done.stderr
    # Nothing is installed under the names of the links.
    assert top == "[None, None, None]"
