"""What a bundle holds, and that results from elsewhere are checked before they are shown."""

from __future__ import annotations

import ast
import json
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from support.branching import branching
from support.lab_result import RESULT
from support.laboratory import bundled
from support.programs import levels_for, programs

import snnc
from snnc.cli import main
from snnc.common.errors import BackendError, FormatError, OutputError
from snnc.program import Program
from snnc.runtime.hardware.lab import read_lab_result, write_bundle
from snnc.runtime.lava.network import open_network
from snnc.runtime.lava.recorded import record_network
from snnc.runtime.simulator import Simulator

NET = Path(__file__).parents[1] / "data" / "portable.net"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    bundled(branching(), levels_for(branching(), 3), tmp_path)
    return tmp_path / "lab.tar.gz"


# ---- the bundle ----


def test_members_are_plain_files_in_one_folder(tmp_path: Path) -> None:
    first = branching().layers[0]
    program = replace(branching(), layers=(replace(first, name="../../evil"), *branching().layers[1:]))
    bundled(program, levels_for(program, 2), tmp_path)
    with tarfile.open(tmp_path / "lab.tar.gz") as archive:
        members = archive.getmembers()
    names = [each.name for each in members]
    assert len(set(names)) == len(names) and "snnc-lab/run_lab.py" in names and "snnc-lab/README.txt" in names
    for each in members:
        assert each.isreg() and not each.linkname
        assert each.name.startswith("snnc-lab/") and ".." not in each.name and "\\" not in each.name
        assert (each.mode, each.mtime, each.uid, each.gid, each.uname, each.gname) == (0o644, 0, 0, 0, "", "")


def test_equal_input_gives_equal_bytes(bundle: Path, tmp_path: Path) -> None:
    before = bundle.read_bytes()
    time.sleep(2.1)  # times in archives count in steps of up to two seconds
    other = tmp_path / "other"
    other.mkdir()
    bundled(branching(), levels_for(branching(), 3), other)
    assert (other / "lab.tar.gz").read_bytes() == before


def test_no_pickles(bundle: Path) -> None:
    for name in ("network", "samples"):
        with np.load(bundle.parent / "snnc-lab" / f"{name}.npz", allow_pickle=False) as arrays:
            assert all(array.dtype.kind in "iub" for array in arrays.values())


def test_the_script_needs_only_lava_numpy_and_scipy_and_an_old_python(bundle: Path) -> None:
    files = sorted(bundle.parent.glob("snnc-lab/**/*.py"))
    assert len(files) > 6
    allowed = {*sys.stdlib_module_names, "lava", "numpy", "scipy", "snnc_lab"}
    for file in files:
        tree = ast.parse(file.read_text(), feature_version=(3, 8))
        for node in ast.walk(tree):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, file


def test_what_overflows_is_not_packed(tmp_path: Path) -> None:
    program, levels = branching(), levels_for(branching(), 1)
    expected = Simulator(program).run(levels, record=True)
    with pytest.raises(BackendError, match="overflows"):
        write_bundle(program, levels, replace(expected, wraps=(0, 1, 0, 0, 0)), tmp_path / "a", data="random")
    with pytest.raises(OutputError):
        write_bundle(program, levels, expected, tmp_path / "missing" / "a", data="random")
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "lab.tar.gz"
    arguments = ["bundle", str(NET), "--data", "digits", "--samples", "2", "-o", str(output)]
    assert main(arguments) == 0
    assert "2 samples of digits" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == output.stat().st_size
    assert main(["bundle", str(NET), "--data", "digits", "-o", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_a_bundle_is_called_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A packed tar archive that was called lab.zip was written, and could not be unpacked by its name."""
    path = tmp_path / "lab.zip"
    assert main(["bundle", str(NET), "--data", "digits", "--samples", "2", "-o", str(path)]) == 2
    assert "lab.zip: is no name of a packed tar archive (expected .tar.gz or .tgz)" in capsys.readouterr().err
    assert not path.exists()


@pytest.mark.lava
@pytest.mark.timeout(280)
@settings(max_examples=8)
@given(programs(timesteps=4, leads=True))
def test_the_chain_is_what_netx_makes_of_it(program: Program) -> None:
    check_chain(program)


@pytest.mark.lava
def test_the_chain_of_digits_is_what_netx_makes_of_it() -> None:
    check_chain(snnc.load(NET))


def check_chain(program: Program) -> None:
    recorded = record_network(program)
    levels = np.zeros((1, *program.coding.shape), np.uint8)
    with open_network(program, levels) as network:
        assert len(recorded.parts.processes) > 2
        # Whatever is not on the chain is made by the same code.
        blocks = network._netx.layers if program.chain else []
        for index, block in zip(program.chain, blocks, strict=True):
            number = recorded.populations[index].process.number
            synapse, neurons = recorded.parts.processes[number - 1 : number + 1]
            for name, value in neurons.options.items():
                # Lava keeps the threshold as a variable alone.
                found = block.neuron.vth.init if name == "vth" else block.neuron.proc_params[name]
                assert np.array_equal(value, found), name
            for name, value in synapse.options.items():
                found = block.synapse.proc_params[name]
                if name == "weights":
                    # netx shifts weights up, and the exponent down.
                    assert np.array_equal(value, found * 2.0 ** block.synapse.proc_params["weight_exp"])
                else:
                    assert np.array_equal(value, getattr(found, "name", found)), name


# ---- the result ----


def written(path: Path, result: object) -> Path:
    file = path / "result.json"
    file.write_text(json.dumps(result))
    return file


def test_a_result_is_read_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, RESULT)
    result = read_lab_result(file)
    assert result.passed and result.layers[0].found == 100 and result.chip is not None and result.chip.joules == 0.02
    assert main(["report", "--lab", str(file)]) == 0
    text = capsys.readouterr().out
    for part in ("Loihi 2, ncl-1", "2.00 mJ", "500 µJ", "estimate by loihi1", "90.00 %", "note: x", "all as expected"):
        assert part in text, part
    assert main(["report", "--lab", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["chip"]["joules"] == 0.02


def test_a_result_is_shown_where_a_snnc_toml_lies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    """Its data and samples are for pages."""
    file = written(tmp_path, RESULT)
    (tmp_path / "snnc.toml").write_text('data = "digits"\nsamples = 20\n')
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--lab", str(file)]) == 0
    assert "snnc.toml" not in capsys.readouterr().out


def change(*path: Any) -> Callable[[Any], Any]:
    """Puts the last at the place that the others name."""

    def changed(result: Any) -> Any:
        place = result
        for each in path[:-2]:
            place = place[each]
        place[path[-2]] = path[-1]
        return result

    return changed


DAMAGES = {
    "a list": lambda _: [],
    "another format": change("format", "other"),
    "newer": change("version", 2),
    "escapes": change("layers", 0, "name", "\x1b[2Jone"),
    "two lines": change("machine", "a\nb"),
    "a long text": change("data", "x" * 5000),
    "negative": change("layers", 0, "expected", -1),
    "half a spike": change("layers", 0, "found", 1.5),
    "true as a number": change("steps", True),
    "huge": change("steps", 1 << 70),
    "not finite": change("seconds", "run", float("nan")),
    "infinite": change("chip", "joules", float("inf")),
    "more than there are": change("readouts", "different", 101),
    "more right than samples": change("labels", "found_right", 11),
    "contradiction": change("layers", 0, "different", 3),
    "no difference": change("passed", False),
    "half a layer": change("layers", 0, "found", None),
    "an unknown backend": change("backend", "abacus"),
    "layers in an object": change("layers", {}),
    "no text": change("versions", "python", 3),
    "nothing measured": change("chip", {}),
    "notes": change("chip", "notes", [1]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_result_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    result = DAMAGES[damage](json.loads(json.dumps(RESULT)))
    file = written(tmp_path, result)
    with pytest.raises(FormatError):
        read_lab_result(file)
    assert main(["report", "--lab", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1 and "\x1b" not in err


@pytest.mark.parametrize("field", list(RESULT))
def test_a_result_without_a_field_is_refused(tmp_path: Path, field: str) -> None:
    file = written(tmp_path, {name: value for name, value in RESULT.items() if name != field})
    with pytest.raises(FormatError, match=field):
        read_lab_result(file)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"[" * 100_000])
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "result.json"
    file.write_bytes(content)
    with pytest.raises(FormatError):
        read_lab_result(file)
    with pytest.raises(FormatError, match="is a folder, not a file"):
        read_lab_result(tmp_path)
