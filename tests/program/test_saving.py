"""``program.save`` works wherever there is a program, whatever else was imported."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

from support.written_programs import content, sample

ROOT = Path(__file__).resolve().parents[2]


def test_a_process_that_imports_nothing_but_the_program_can_save_it(tmp_path: Path) -> None:
    # The pickle names snnc.program.program and the modules of its parts, and nothing of the file format.
    (tmp_path / "program.pickle").write_bytes(pickle.dumps(sample()))
    script = "import pathlib, pickle, sys; pickle.loads(pathlib.Path(sys.argv[1]).read_bytes()).save(sys.argv[2])"
    command = [sys.executable, "-c", script, str(tmp_path / "program.pickle"), str(tmp_path / "a.net")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.net").read_bytes() == content()
