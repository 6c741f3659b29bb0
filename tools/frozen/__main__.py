"""Writes down what snnc makes, so that nothing of it changes unnoticed: digests of .net files, runs and JSON.

python tools/frozen OUTPUT_FOLDER [--shared FOLDER] [--only NAME ...] [--compare LIST] [--made]

OUTPUT_FOLDER/list.json gets a line for everything, OUTPUT_FOLDER/json/ what each command printed, for diff -r. The
snnc that is looked at is the one that is installed, or that of PYTHONPATH; only its public interface is used. Of a .net
file stand there: `file`, the digest of all its bytes; `content`, that of all it holds except its provenance; `run` and
`lava`, those of what it gives for a few samples. Of a command: `json`, the digest of what it printed, and `content`,
that without what hangs on the provenance of .net files; `written`, that of pages and bundles. tools/frozen/list.json is
what was made last on purpose:

    python tools/frozen FOLDER --shared SHARED --compare tools/frozen/list.json

ends with 1 where anything differs, and says what. Digests are those of one kind of machine: a trained network's weights
depend on the processor, and `weights/...` in the list tells whether they differ. It takes minutes on one core.
"""

from __future__ import annotations

import os

# Before PyTorch is imported: sums depend on the number of threads.
os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import fnmatch
import importlib.metadata
import json
import platform
import sys
import tempfile
import time
from pathlib import Path

import torch
from cases import CASES
from commands import COMMANDS, made_commands
from comparison import differences
from nets import Workshop, made_nets

import snnc

PACKAGES = ("h5py", "lava-dl", "lava-nc", "nir", "numba", "numpy", "onnx", "scikit-learn", "scipy", "torch")


def main() -> int:
    """Makes the list and compares it with another; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", metavar="OUTPUT_FOLDER", type=Path, help="where list.json and json/ are written")
    parser.add_argument("--shared", metavar="FOLDER", type=Path, help="published weights and images lie in its data/")
    parser.add_argument(
        "--only", metavar="NAME", nargs="+", help="names as in the list; net/residual* stands for several"
    )
    parser.add_argument("--compare", metavar="LIST", type=Path, help="the list to compare with")
    parser.add_argument("--made", action="store_true", help="compare what OUTPUT_FOLDER holds; make nothing")
    given = parser.parse_args()
    path = given.output / "list.json"
    if not given.made:
        _make(given.output, given.shared, given.only)
    if given.compare is None:
        return 0
    old, new = (json.loads(each.read_text(encoding="utf-8")) for each in (given.compare, path))
    found, remarks = differences(old, new, partly=given.only is not None)
    for line in (*(f"note: {each}" for each in remarks), *found):
        _say(line)
    _say(f"{len(new['entries'])} entries, {len(found)} differences")
    return 1 if found else 0


def _make(output: Path, shared: Path | None, only: list[str] | None) -> None:
    start = time.perf_counter()
    torch.set_num_threads(1)
    wanted = only or ["*"]
    nets = [
        name
        for name in CASES
        if any(_is_wanted(each, wanted) for each in (f"net/{name}", f"nir/{name}-if", f"nir/{name}-cuba"))
    ]
    commands = [name for name in COMMANDS if _is_wanted(f"json/{name}", wanted)]
    assert snnc.__file__ is not None
    _tell(f"snnc of {Path(snnc.__file__).parent}")
    output.mkdir(parents=True, exist_ok=True)

    def tell(name: str) -> None:
        _tell(f"{time.perf_counter() - start:7.1f} s  {name}")

    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder).resolve(), None if shared is None else shared.resolve())
        entries = made_nets(workshop, nets, tell)
        if commands:
            entries.update(made_commands(workshop.folder, output / "json", commands, tell))
    found = {"environment": _environment(), "entries": entries}
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    (output / "list.json").write_text(text, encoding="utf-8")
    files = sum("file" in each for name, each in entries.items() if name.startswith("net/"))
    skipped = sum("skipped" in each for each in entries.values())
    _tell(f"{len(entries)} entries, {files} .net files, {skipped} skipped, {time.perf_counter() - start:.0f} s")


def _is_wanted(name: str, wanted: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, each) for each in wanted)


def _environment() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "none"
    return {**versions, "python": platform.python_version(), "machine": platform.machine()}


def _say(text: str) -> None:
    print(text)  # noqa: T201


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
