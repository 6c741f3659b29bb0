"""The command line."""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from snnc.runtime.hardware.lab_script.board import run_on_board
from snnc.runtime.hardware.lab_script.bundle_folder import VERSION, Bundle, LabError, Outcome, one_line
from snnc.runtime.hardware.lab_script.cpu import run_on_cpu

# What is passed on from the bundle.
PASSED_ON = ("snnc", "network", "target", "data", "timesteps", "lead", "estimates")


def judge(bundle: Bundle, outcome: Outcome, options: argparse.Namespace) -> dict[str, Any]:
    """Return what is written to the result file.

    Args:
        bundle: The bundle.
        outcome: What the run gave.
        options: The command line's.
    """
    layers = [_layer(bundle, outcome, index) for index in range(len(bundle.layers))]
    different = int((outcome.readout != bundle.readout).sum())
    labels = None
    if bundle.labels is not None:
        labels = {
            "expected_right": int((bundle.predictions(bundle.readout) == bundle.labels).sum()),
            "found_right": int((bundle.predictions(outcome.readout) == bundle.labels).sum()),
        }
    return {
        "format": "snnc-lab-result",
        "version": VERSION,
        **{name: bundle.form[name] for name in PASSED_ON},
        "samples": bundle.samples,
        "backend": options.backend,
        "board": options.board or options.host or options.partition,
        "machine": platform.platform(),
        "versions": _versions(),
        "passed": not different and not any(each["different"] for each in layers),
        "layers": layers,
        "readouts": {"values": int(bundle.readout.size), "different": different},
        "labels": labels,
        "steps": outcome.steps,
        "seconds": {"start": outcome.start_seconds, "run": outcome.run_seconds},
        "chip": outcome.chip,
    }


def _layer(bundle: Bundle, outcome: Outcome, index: int) -> dict[str, Any]:
    expected = bundle.expected(index)
    found = None if outcome.spikes is None else outcome.spikes[index]
    return {
        "name": bundle.layers[index]["name"],
        "expected": int(expected.sum()),
        "found": None if found is None else int(found.sum()),
        # Places where one has a spike and the other has none.
        "different": None if found is None else int((found != expected).sum()),
    }


def _versions() -> dict[str, str | None]:
    """Return the versions of Python and of what computes."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in ("lava-nc", "lava-loihi", "numpy", "scipy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


KEYS = ("expected", "found", "different")


def table(result: dict[str, Any]) -> str:
    """Return the result for people."""
    rows = [["layer", "spikes expected", "found", "different"]]
    for each in result["layers"]:
        rows.append([each["name"], *("-" if each[key] is None else str(each[key]) for key in KEYS)])
    rows.append(["readout values", str(result["readouts"]["values"]), "", str(result["readouts"]["different"])])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for name, *figures in rows:
        cells = [figure.rjust(widths[column + 1]) for column, figure in enumerate(figures)]
        lines.append("  ".join([name.ljust(widths[0]), *cells]))
    samples, labels, seconds = result["samples"], result["labels"], result["seconds"]
    if labels:
        lines.append(f"right: {labels['found_right']} of {samples}, expected {labels['expected_right']}")
    lines.append(f"{result['steps']} steps in {seconds['run']:.3g} s, after {seconds['start']:.3g} s to start")
    for name, value in (result["chip"] or {}).items():
        lines += [f"note: {each}" for each in value] if name == "notes" else [f"chip, {name}: {value}"]
    return "\n".join([*lines, "all as expected" if result["passed"] else "NOT as expected"])


def write_result(result: dict[str, Any], path: Path) -> None:
    """Write a file whole, or not at all.

    Raises:
        LabError: It cannot be written.
    """
    unfinished = path.with_name(f"{path.name}.part")
    try:
        unfinished.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", encoding="ascii")
        unfinished.replace(path)
    except OSError as error:
        raise LabError(f"{path} cannot be written: {error.strerror}") from error


def main(folder: Path, arguments: Sequence[str] | None = None) -> int:
    """Run, compare, write the result.

    Args:
        folder: The unpacked bundle.
        arguments: The command line's; None: those of the process.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        if options.input_delay < 0:
            raise LabError("--input-delay cannot be negative")
        bundle = Bundle(folder, options.samples)
        with tempfile.TemporaryDirectory(prefix="snnc-lab-") as place:
            if options.backend == "cpu":
                outcome = run_on_cpu(bundle, Path(place))
            else:
                _warn_of_interval(bundle)
                outcome = run_on_board(bundle, Path(place), options)
        result = judge(bundle, outcome, options)
        write_result(result, options.output)
    except LabError as error:
        return _fail(str(error), 2)
    except ImportError as error:
        return _fail(f"{error}; install lava-nc, and for a board lava-loihi", 2)
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except Exception as error:  # noqa: BLE001 - whatever Lava raises
        return _fail(f"Lava failed: {one_line(error)}", 2)
    sys.stdout.write(table(result) + "\n")
    return 0 if result["passed"] else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_lab.py", description="Run the network of this folder and compare it with what is expected."
    )
    parser.add_argument("--backend", choices=("cpu", "loihi2"), default="cpu", help="default: cpu, Lava's simulator")
    parser.add_argument("--samples", type=int, help="run the first so many; default: all")
    parser.add_argument("-o", "--output", type=Path, default=Path("result.json"), help="default: result.json")
    board = parser.add_argument_group("for loihi2; without any, what Lava finds in the environment")
    board.add_argument("--slurm", action="store_true", help="use a board of Slurm's")
    board.add_argument("--partition", help="a partition of Slurm's")
    board.add_argument("--board", help="a board of Slurm's")
    board.add_argument("--host", help="address of the host of a board on the network, instead of Slurm")
    board.add_argument("--generation", default="N3B3", help="of the chip: N3B3 (default), N3C1, ...")
    board.add_argument("--input-delay", type=int, default=1, help="steps that input takes to the chip; default: 1")
    board.add_argument("--readouts-only", action="store_true", help="leave the spikes on the chip: faster")
    return parser


def _warn_of_interval(bundle: Bundle) -> None:
    if bundle.interval & (bundle.interval - 1):
        sys.stderr.write(
            f"note: a sample takes {bundle.interval} steps, and LIFReset on Loihi 2 may want a power of two\n"
        )


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {message}\n")
    return code
