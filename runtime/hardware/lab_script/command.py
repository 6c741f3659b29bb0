"""The command line."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from snnc.runtime.hardware.lab_script.board import run_on_board
from snnc.runtime.hardware.lab_script.bundle_folder import Bundle
from snnc.runtime.hardware.lab_script.cpu import run_on_cpu
from snnc.runtime.hardware.lab_script.judgement import judge
from snnc.runtime.hardware.lab_script.lab_error import LabError, one_line
from snnc.runtime.hardware.lab_script.present import table, write_result


def main(folder: Path, arguments: Sequence[str] | None = None) -> int:
    """Runs, compares, writes the result.

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
