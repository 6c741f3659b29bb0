"""What is typed: one table of command lines, and what is written down of each.

Every line is run in the working folder, in this order: later ones use files of earlier ones. Where an option or the
order of arguments changes on purpose, this table is what has to be edited.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import digests

import snnc

SKIPPED = "skipped"
RESNET20 = "--arch resnet20 --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"


@dataclass(frozen=True)
class Command:
    """One line.

    Attributes:
        line: What stands behind ``snnc``.
        outputs: Files that it writes and that are kept with what it prints, .npz by a digest.
        written: Files that it writes and of which only the digest stands in the list; they hold no times.
        needs: Files without which it is left out, since they come from the folder of --shared or need a package.
        lava: Whether it is left out where Lava is not installed.
    """

    line: str
    outputs: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    lava: bool = False


COMMANDS: dict[str, Command] = {
    # The networks that later lines use.
    "compile": Command("compile saved.pt --calib digits -T 8 -o digits.net --json"),
    "compile-corrected": Command(
        "compile saved.pt --calib digits -T 4 --lead 2 --calibrate weights,spread,bias -o corrected.net --json"
    ),
    "compile-lenet": Command("compile lenet.pt --calib images.npz -T 4 --max-pool exact -o lenet.net --json"),
    "compile-branches": Command("compile branches.pt2 --calib small.npz -T 8 --target loihi1 -o branches.net --json"),
    "compile-state": Command(
        "compile state.pt --arch digits_cnn --calib digits -T 1 --threshold optimal --objective 2 -o state.net --json"
    ),
    "compile-per-layer": Command(
        "compile chain.pt --calib digits -T 8 --per-layer --mean 0.3 --std 0.4 --strict -o chain.net --json"
    ),
    "compile-learned": Command("compile clipped.pt --calib digits --threshold learned -o clipped.net --json"),
    "compile-sdnn": Command("compile saved.pt --calib digits --neuron sdnn -o sdnn.net --json"),
    "compile-report": Command(
        "compile saved.pt --calib digits -T 4 --report page.html --report-samples 64 -o paged.net --json",
    ),
    "compile-resnet20": Command(
        f"compile resnet20.th {RESNET20} --calib pictures.npz -T 4 -o resnet20.net --json", needs=("resnet20.th",)
    ),
    "compile-refused": Command("compile saved.pt --calib digits --neuron sdnn --target loihi1 --json"),
    "compile-missing": Command("compile nothing.pt --calib digits --json"),
    # Runs.
    "run": Command("run digits.net --data digits --json -o run.npz", outputs=("run.npz",)),
    "run-stops": Command("run digits.net --data digits --samples 100 --stop-at 1,2,4 --json"),
    "run-corrected": Command("run corrected.net --data digits --samples 100 --json"),
    "run-lenet": Command("run lenet.net --data images.npz --samples 20 --json"),
    "run-branches": Command("run branches.net --data small.npz --json"),
    "run-sdnn": Command("run sdnn.net --data digits --samples 100 --json"),
    "run-resnet20": Command("run resnet20.net --data pictures.npz --samples 20 --json", needs=("resnet20.th",)),
    "run-lava": Command("run digits.net --data digits --backend lava --samples 4 --json", lava=True),
    "run-mismatch": Command("run digits.net --data images.npz --json"),
    "run-netx": Command("run others.net --data events.npz --json -o netx.npz", outputs=("netx.npz",)),
    "run-netx-resets": Command("run others.net --data events.npz --reset-interval 9 --num-layers 4 --json"),
    "run-netx-lava": Command("run others.net --data events.npz --backend lava --samples 2 --json", lava=True),
    # Comparisons.
    "validate": Command("validate digits.net --model saved.pt --data digits --samples 100 --no-lava --json"),
    "validate-lava": Command(
        "validate corrected.net --model saved.pt --data digits --samples 20 --lava-samples 3 --lava --json", lava=True
    ),
    "validate-drop": Command(
        "validate state.net --model state.pt --arch digits_cnn --data digits --max-drop 0 --no-lava --json"
    ),
    "validate-branches": Command("validate branches.net --model branches.pt2 --data small.npz --no-lava --json"),
    "validate-sdnn": Command("validate sdnn.net --model saved.pt --data digits --samples 50 --no-lava --json"),
    "validate-lenet": Command("validate lenet.net --model lenet.pt --data images.npz --samples 20 --no-lava --json"),
    "diagnose": Command("diagnose saved.pt digits.net --data digits --samples 100 --json"),
    "diagnose-branches": Command("diagnose branches.pt2 branches.net --data small.npz --json"),
    "diagnose-resnet20": Command(
        "diagnose resnet20.th resnet20.net --arch resnet20 --data pictures.npz --samples 48 --json",
        needs=("resnet20.th",),
    ),
    "report": Command(
        "report saved.pt digits.net --data digits --samples 64 -o digits.html --json", written=("digits.html",)
    ),
    "report-sdnn": Command(
        "report saved.pt sdnn.net --data digits --samples 64 -o sdnn.html --json", written=("sdnn.html",)
    ),
    "thresholds": Command("thresholds saved.pt --calib digits -T 4 --json"),
    "thresholds-net": Command("thresholds digits.net --model saved.pt --calib digits --json"),
    "thresholds-optimal": Command(
        "thresholds chain.pt --calib digits -T 8 --threshold optimal --objective 2 --per-layer --mean 0.3 --std 0.4 "
        "--json"
    ),
    # Looking.
    "inspect": Command("inspect digits.net --json"),
    "inspect-loihi1": Command("inspect corrected.net --target loihi1 --json"),
    "inspect-branches": Command("inspect branches.net --json"),
    "inspect-sdnn": Command("inspect sdnn.net --json"),
    "inspect-resnet20": Command("inspect resnet20.net --json", needs=("resnet20.th",)),
    "inspect-netx": Command("inspect others.net --json"),
    "init": Command("init saved.pt --json", outputs=("snnc.toml",)),
    "init-state": Command("init state.pt --arch digits_cnn --force --json", outputs=("snnc.toml",)),
    "init-lenet": Command("init lenet.pt --force --json", outputs=("snnc.toml",)),
    "compile-configured": Command(
        "compile lenet.pt --config snnc.toml --calib images.npz -T 2 -o configured.net --json"
    ),
    # Other formats.
    "export-nir": Command("export digits.net --to nir digits.nir --json", needs=("others.nir",)),
    "export-nir-cuba": Command("export branches.net --to nir branches.nir --neuron cuba --json", needs=("others.nir",)),
    "export-net": Command("export digits.nir --to net back.net --json", needs=("others.nir",)),
    "run-nir": Command("run digits.nir --data digits --samples 100 --no-config --json", needs=("others.nir",)),
    "bundle": Command(
        "bundle digits.net --data digits --samples 5 -o lab.tar.gz --no-config --json", written=("lab.tar.gz",)
    ),
    "report-lab": Command("report --lab lab/result.json --json", needs=("lab.tar.gz",), lava=True),
    # Training.
    "train": Command(
        "train digits_cnn --data digits --epochs 1 --threads 1 --device cpu -o new.pt --json", outputs=("new.json",)
    ),
    "finetune": Command(
        "finetune saved.pt --data digits -T 2 --epochs 1 --threads 1 --device cpu -o tuned.pt --json",
        outputs=("tuned.json",),
    ),
    "compile-tuned": Command(
        "compile tuned.pt --calib digits -T 2 --threshold learned --no-config -o tuned.net --json"
    ),
    "demo": Command("demo --no-lava -o demo.net --json"),
}


def made_commands(
    folder: Path, kept: Path, names: Collection[str], tell: Callable[[str], None]
) -> dict[str, dict[str, str]]:
    """Runs the table's lines.

    Args:
        folder: The working folder, with the files of files.py.
        kept: Where what they print is kept, a file for each.
        names: Those that are written down; earlier lines that write files are run all the same.
        tell: Told of each line as it begins.

    Returns:
        An entry for each of ``names``.
    """
    kept.mkdir(parents=True, exist_ok=True)
    entries: dict[str, dict[str, str]] = {}
    needed = _with_earlier(names)
    has_lava = importlib.util.find_spec("lava") is not None
    for name, command in COMMANDS.items():
        if name not in needed:
            continue
        tell(f"json/{name}")
        if "lab.tar.gz" in command.needs and has_lava:
            _run_in_laboratory(folder)
        missing = [each for each in command.needs if not (folder / each).exists()]
        if missing or (command.lava and not has_lava):
            entries[f"json/{name}"] = {SKIPPED: f"{' and '.join(missing) or 'Lava'} is missing"}
            continue
        said = _said(folder, command)
        if name in names:
            (kept / f"{name}.json").write_text(digests.as_text({"line": command.line, **said}), encoding="utf-8")
            entries[f"json/{name}"] = {
                "json": digests.of_json(said),
                "content": digests.of_json(said, provenance=False),
            }
            if command.written:
                entries[f"json/{name}"]["written"] = digests.of_files(folder / each for each in command.written)
    return {name: each for name, each in entries.items() if name.removeprefix("json/") in names}


def _with_earlier(names: Collection[str]) -> set[str]:
    """Those names and all earlier lines that write a file which one of them uses."""
    needed: set[str] = set()
    used: set[str] = set()
    for name, command in reversed(COMMANDS.items()):
        words = shlex.split(command.line)
        written = {
            *command.outputs,
            *(after for word, after in itertools.pairwise(words) if word in ("-o", "nir", "net")),
        }
        if name in names or written & used:
            needed.add(name)
            used.update(words, command.needs)
    return needed


def _environment() -> dict[str, str]:
    """Has the same snnc imported in another process, wherever that works."""
    assert snnc.__file__ is not None
    root = str(Path(snnc.__file__).resolve().parents[1])
    path = os.pathsep.join(each for each in (root, os.environ.get("PYTHONPATH")) if each)
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "120"}


def _said(folder: Path, command: Command) -> dict[str, Any]:
    """What a line prints, how it ends, and digests of what it writes."""
    done = subprocess.run(
        [sys.executable, "-m", "snnc", *shlex.split(command.line)],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    try:
        printed = json.loads(done.stdout) if done.stdout.strip() else None
    except ValueError:
        printed = done.stdout
    said: dict[str, Any] = {"exit": done.returncode, "printed": printed}
    errors = [each for each in done.stderr.splitlines() if each.startswith("error:")]
    if errors or done.returncode:
        said["errors"] = errors or done.stderr.splitlines()[-3:]
    said = digests.normalised(said, str(folder))
    if command.outputs:
        said["outputs"] = {name: _output(folder / name, str(folder)) for name in command.outputs}
    return said


def _output(path: Path, folder: str) -> Any:
    if not path.exists():
        return None
    if path.suffix == ".npz":
        return digests.of_npz(path)
    if path.suffix == ".json":
        return digests.normalised(json.loads(path.read_text(encoding="utf-8")), folder)
    return path.read_text(encoding="utf-8").replace(folder, "<folder>").splitlines()


def _run_in_laboratory(folder: Path) -> None:
    """Unpacks the bundle and has its script write a result, as a laboratory without a board would."""
    if not (folder / "lab.tar.gz").exists():
        return
    with tarfile.open(folder / "lab.tar.gz") as archive:
        archive.extractall(folder / "lab", filter="data")
    script = next((folder / "lab").rglob("run_lab.py"))
    subprocess.run(
        [sys.executable, str(script), "-o", str(folder / "lab" / "result.json")],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        check=False,
        timeout=600,
    )
