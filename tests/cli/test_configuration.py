"""snnc.toml: what stands there is taken, checked, overridden, and runs no code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import configuration_docs
from support.command_line import FullCall
from torch import nn
from typer.main import get_command

from snnc.cli.application import application
from snnc.cli.configuration import COMMAND_LINE_ONLY, FILE_NAME, KEYS, find_configuration, read_configuration
from snnc.cli.configuration.keys import COMMANDS as OPTIONS_OF_COMMANDS
from snnc.cli.configuration.keys import key_table
from snnc.cli.configuration.read import options_for
from snnc.cli.configured import ConfiguredCommand, long_names
from snnc.cli.parameters import former_keys
from snnc.common.errors import OptionError
from snnc.common.options import options_of
from snnc.models.data import load_data
from snnc.program.net import load

COMMANDS = {"compile": {"calib", "timesteps", "lead", "mean", "calibrate", "trust"}, "run": {"data", "samples"}}


def network() -> nn.Sequential:
    """A network that knows digits, if not well."""
    torch.manual_seed(0)
    made = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    digits = load_data("digits", split="train")
    images, labels = torch.as_tensor(digits.images) * digits.unit, torch.as_tensor(digits.labels)
    optimizer = torch.optim.Adam(made.parameters(), 0.02)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(made(images), labels).backward()
        optimizer.step()
    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, and another one to work in."""
    (tmp_path / "models").mkdir()
    (tmp_path / "work").mkdir()
    torch.save(network(), tmp_path / "models" / "model.pt")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "models"


def write(folder: Path, text: str) -> Path:
    path = folder / FILE_NAME
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, text: str):
    return read_configuration(write(tmp_path, text), COMMANDS)


def test_a_file_beside_the_model_is_all_that_a_compilation_needs(folder: Path, call: FullCall) -> None:
    path = write(folder, 'calib = "digits"\ntimesteps = 3\n[compile]\ncalib-samples = 40\nthreshold = "max"\n')
    code, out, err = call("compile", folder / "model.pt", "--target", "loihi")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"from {path}: calib, timesteps, threshold, calib-samples"
    provenance = load(folder / "model.net").provenance
    assert (provenance.options["timesteps"], provenance.options["threshold"]) == (3, "max")
    assert provenance.calibration_samples == 40


def test_options_override_the_file_and_its_use_is_told(folder: Path, call: FullCall) -> None:
    path = write(folder, 'calib = "digits"\ntimesteps = 3\ncalib-samples = 40\nthreshold = "max"\nper-channel = true\n')
    arguments = ("compile", folder / "model.pt", "-T", 2, "--per-layer", "-o", "model.net")
    code, out, _ = call(*arguments)
    assert code == 0 and out.splitlines()[0] == f"from {path}: calib, threshold, calib-samples"
    assert load("model.net").provenance.options["timesteps"] == 2
    assert load("model.net").provenance.options["per_channel"] is False
    code, out, _ = call(*arguments, "--json")
    assert code == 0 and json.loads(out)["config"] == str(path)
    code, out, err = call(*arguments, "-q")
    # Nothing but that so few steps make a bad copy.
    assert (code, out) == (0, "") and err.startswith("warning: the compiled network is no copy of the ANN")
    assert err.count("\n") == 1


def test_every_configured_command_takes_the_file(folder: Path, call: FullCall) -> None:
    write(
        folder, 'calib = "digits"\ndata = "digits"\ntimesteps = 16\nsamples = 20\nthreshold = "max"\nmodel = "model.pt"'
    )
    net = folder / "model.net"
    assert call("compile", folder / "model.pt")[0] == 0
    for command, *arguments in (
        ("run", net),
        ("validate", net, "--no-lava"),
        ("diagnose", folder / "model.pt", net),
        ("report", folder / "model.pt", net),
        ("thresholds", folder / "model.pt"),
        ("thresholds", net),
        ("bundle", net),
    ):
        code, out, err = call(command, *arguments)
        assert (code, err) == (0, ""), command
        assert out.startswith(f"from {folder / FILE_NAME}: "), command
    # What the .net file fixes is not asked of snnc.toml.
    assert call("thresholds", net)[1].splitlines()[0].endswith(": calib, model")


def test_what_shapes_spikes_is_not_for_sigma_delta_neurons(folder: Path, call: FullCall) -> None:
    """snnc init writes T into the file, and --neuron sdnn was refused for it."""
    settings = 'timesteps = 4\nthreshold = "max"\nper-channel = false\nobjective = 2\ncalibrate = "bias"\nlead = 1\n'
    write(folder, f'calib = "digits"\n{settings}')
    code, out, err = call("compile", folder / "model.pt", "--neuron", "sdnn")
    assert (code, err) == (0, "") and out.startswith(f"from {folder / FILE_NAME}: calib\n")
    assert call("compile", folder / "model.pt", "--neuron", "sdnn", "-T", 4)[0] == 2


TRAINING = 'data = "digits"\nthreads = 1\n'


def test_trainings_take_the_file(folder: Path, call: FullCall) -> None:
    """Keys of both trainings, of one alone, and of other commands, whose meaning is another."""
    others = 'timesteps = 8\nlead = 4\nthreshold = "learned"\nbatch-size = 3\ncalib-samples = 2\nobjective = 2\n'
    tables = "[train]\nepochs = 1\nbatch-size = 500\n[finetune]\nepochs = 1\ntimesteps = 2\n"
    path = write(folder, f"{TRAINING}mean = 0.5\n{others}{tables}")
    code, out, err = call("train", "digits_cnn", "--config", path, "-o", "a.pt", "--batch-size", 400)
    assert (code, err) == (0, "") and out.splitlines()[0] == f"from {path}: data, epochs, mean, threads"
    settings = json.loads(Path("a.json").read_text())["settings"]
    assert (settings["epochs"], settings["batch_size"], settings["mean"]) == (1, 400, [0.5])
    code, out, err = call("finetune", folder / "model.pt", "-o", "b.pt", "--json")
    assert (code, err) == (0, "") and json.loads(out)["config"] == str(path)
    settings = json.loads(Path("b.json").read_text())["settings"]
    assert (settings["timesteps"], settings["lead"], settings["objective"]) == (2, 0, 1)
    assert (settings["threshold"], settings["batch_size"], settings["calibration_samples"]) == ("data-driven", 128, 512)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train]\nepoch = 1", "train.epoch is not known; did you mean train.epochs?"),
        ("[train]\ntimesteps = 1", "train.timesteps is not known"),
        ("[finetune]\ncalib-sample = 1", "finetune.calib-sample is not known; did you mean finetune.calib-samples?"),
        ("[train]\ntrust = true", "train.trust cannot be set in a file, since it lets model files run code"),
        ("[finetune]\ntrust = true", "finetune.trust cannot be set in a file, since it lets model files run code"),
        ("[train]\nresume = true", "train.resume cannot be set in a file, since it is for a run that was interrupted"),
        ('[train]\noutput = "x.pt"', "train.output cannot be set in a file, since it names a file that is written"),
    ],
)
def test_what_trainings_take_from_no_file(folder: Path, call: FullCall, text: str, message: str) -> None:
    path = write(folder, f"{TRAINING}{text}")
    for arguments in (("train", "digits_cnn", "--config", path), ("finetune", folder / "model.pt")):
        code, _, err = call(*arguments)
        assert code == 2 and err.startswith(f"error: {path}: {message}")
    assert "--data" in call("train", "digits_cnn", "--no-config")[2]


def test_code_that_a_file_names_for_trainings_runs_only_with_trust(folder: Path, call: FullCall) -> None:
    write(folder, 'data = "digits"\narch = "evil:Net"')
    (folder / "evil.py").write_text(MARK)
    Path("evil.py").write_text(MARK)
    torch.save(network().state_dict(), folder / "model.pt")
    code, _, err = call("finetune", folder / "model.pt")
    assert code == 2 and "arch names Python code, which a file may not run" in err and not Path("ran").exists()
    write(Path(), 'data = "evil:data"')
    code, _, err = call("train", "digits_cnn")
    assert code == 2 and "data names Python code, which a file may not run" in err and not Path("ran").exists()


def test_the_file_beside_the_model_comes_before_that_of_the_working_folder(folder: Path) -> None:
    model = folder / "model.pt"
    assert find_configuration([model]) is None
    write(Path(), "")
    assert find_configuration([model]) == Path(FILE_NAME)
    write(folder, "")
    assert find_configuration([model]) == folder / FILE_NAME
    assert find_configuration([Path("other.net"), model]) == Path(FILE_NAME)


def test_a_file_can_be_chosen_or_left_out(folder: Path, call: FullCall) -> None:
    write(folder, 'calib = "nothing"\n')
    other = Path("other.toml")
    other.write_text('calib = "digits"\nthreshold = "max"\ntimesteps = 2\n')
    model, out = folder / "model.pt", "out.net"
    assert call("compile", model, "-o", out, "--config", other)[0] == 0
    assert call("compile", model, "-o", out, "--no-config", "--calib", "digits", "--threshold", "max", "-T", 1)[0] == 0
    code, _, err = call("compile", model, "--no-config")
    assert code == 2 and err.startswith("error: --calib: is missing")
    code, _, err = call("compile", model, "--no-config", "--config", other)
    assert code == 2 and "contradicts --no-config" in err
    code, _, err = call("compile", model, "--config", "none.toml")
    assert code == 2 and err == "error: none.toml: no such file; snnc init MODEL writes one\n"
    assert call("compile", "--help", "--config", "none.toml")[0] == 0


def test_relative_paths_begin_at_the_files_folder(folder: Path, call: FullCall) -> None:
    images = np.random.default_rng(0).integers(0, 256, (30, 1, 8, 8)).astype(np.uint8)
    np.savez(folder / "images.npz", x=images, y=np.arange(30) % 10)
    write(folder, 'calib = "images.npz"\ndata = "images.npz"\ntimesteps = 2\nthreshold = "max"\n')
    assert call("compile", folder / "model.pt")[0] == 0
    assert call("run", folder / "model.net")[0] == 0


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("digits", "digits"),
        ("mnist:data", "mnist:there/data"),
        ("mnist:/data", "mnist:/data"),
        ("imagenet:.", "imagenet:there"),
        ("images/", "there/images"),
        ("pictures", "there/pictures"),
        ("x.npz", "there/x.npz"),
        ("mydata:train", "mydata:train"),
        ("nothing", "nothing"),
    ],
)
def test_data_are_placed_by_their_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, expected: str):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there" / "pictures").mkdir(parents=True)
    path = write(tmp_path / "there", f'calib = "{spec}"').relative_to(tmp_path)
    found = options_for(read_configuration(path, COMMANDS), "compile", {"calib"}, (), trust=True)
    assert found == {"calib": expected}


def test_a_folder_that_is_called_like_a_data_set_stays_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, 'calib = "./digits/"')
    found = options_for(read_configuration(Path(FILE_NAME), COMMANDS), "compile", {"calib"}, (), trust=False)
    assert found == {"calib": "./digits"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timestep = 4", "timestep is not known; did you mean timesteps?"),
        ("T = 4", "T is not known; did you mean timesteps?"),
        ("[compile]\nT = 4", "compile.T is not known; did you mean compile.timesteps?"),
        ("[compiler]\nlead = 4", "compiler is not known; did you mean [compile]?"),
        ("[run]\nlead = 4", "run.lead is not known (expected one of data, samples)"),
        ("xyzzy = 1", "xyzzy is not known (expected one of calib, calibrate, data, lead, mean, samples, timesteps)"),
        ("compile = 1", "compile is not a table (expected [compile] and options below it)"),
        ('timesteps = "8"', "timesteps has a value of the wrong type (expected an integer, such as 8, found '8')"),
        ("timesteps = true", "timesteps has a value of the wrong type (expected an integer, such as 8, found true)"),
        ("mean = [0.1, 'a']", "mean has a value of the wrong type"),
        ("mean = []", "mean has a value of the wrong type"),
        ("mean = nan", "mean has a value of the wrong type"),
        ("[calib]\nx = 1", "calib has a value of the wrong type"),
        ("[compile]\ntrust = true", "compile.trust cannot be set in a file, since it lets model files run code"),
        ('output = "../.bashrc"', "output cannot be set in a file, since it names a file that is written"),
        ('cluster = "dask:tcp://host:1"', "cluster cannot be set in a file, since it makes other machines run code"),
        ("timesteps = ", "is not TOML"),
        ("a = " + "[" * 100_000, "is not TOML"),
        ("#" * (1 << 21), "is too large"),
    ],
)
def test_what_is_wrong_in_a_file_is_an_error_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OptionError) as error:
        read(tmp_path, text)
    assert str(error.value).startswith(f"{tmp_path / FILE_NAME}: {message}")


def test_a_file_that_is_no_text_or_no_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    path.write_bytes(b"\xff\xfe\x00")
    for each, problem in ((path, "is not TOML"), (tmp_path, "is a folder"), (tmp_path / "none", "no such file")):
        with pytest.raises(OptionError, match=problem):
            read_configuration(each, COMMANDS)


@given(st.one_of(st.text(), st.binary().map(lambda each: each.decode("latin-1"))))
def test_no_file_makes_more_than_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        found = read(folder, text)
    except OptionError as error:
        assert "\n" not in str(error)
    else:
        assert set(found.common) <= set(KEYS)


def test_values_are_as_the_command_line_has_them(tmp_path: Path) -> None:
    found = read(tmp_path, 'mean = [0.5, 1]\ncalibrate = ["weights", "bias"]\n[run]\ndata = "digits"\n')
    assert found.options("compile", COMMANDS["compile"]) == {"mean": "0.5,1", "calibrate": "weights,bias"}
    assert found.options("run", COMMANDS["run"]) == {"data": "digits"}
    assert read(tmp_path, "lead = 1\n[compile]\nlead = 2").options("compile", ["lead"]) == {"lead": 2}


def test_every_option_is_a_key_or_left_to_the_command_line() -> None:
    """Whoever adds an option decides here: a key in KEYS, or a reason in COMMAND_LINE_ONLY."""
    commands = get_command(application).commands.values()
    options = {name for each in commands if isinstance(each, ConfiguredCommand) for name in long_names(each)}
    assert options == set(KEYS) | set(COMMAND_LINE_ONLY)
    assert not set(KEYS) & set(COMMAND_LINE_ONLY)


def test_the_documented_keys_are_those_of_the_options() -> None:
    assert configuration_docs.parts()[1].strip() == key_table().strip(), (
        "renew it: PYTHONPATH=.:tests python tests/support/configuration_docs.py"
    )


def test_a_key_s_commands_are_those_that_have_the_option() -> None:
    for name, command in get_command(application).commands.items():
        if isinstance(command, ConfiguredCommand):
            own = {option.key for kind in OPTIONS_OF_COMMANDS[name] for option in options_of(kind) if option.flags}
            assert own <= set(long_names(command)), name


def test_a_key_s_former_name_is_still_taken(tmp_path: Path) -> None:
    """Samples of a report are drawn, those of a run are the first ones: once both were called samples."""
    command = get_command(application).commands["report"]
    assert former_keys(command) == {"samples": "report-samples"}
    assert "samples" in read_configuration(write(tmp_path, "[report]\nsamples = 3"), {"report": {"samples"}}).options(
        "report", ["samples"]
    )


MARK = "from pathlib import Path\nPath('ran').touch()\nimport torch.nn as nn\nNet = data = nn.Linear\n"


@pytest.mark.parametrize(
    ("text", "command", "name"),
    [
        ('calib = "evil:data"', "compile", "calib"),
        ('calib = "digits"\narch = "evil:Net"', "compile", "arch"),
        ('calib = "evil:data"', "thresholds", "calib"),
    ],
)
def test_code_that_a_file_names_runs_only_with_trust(
    folder: Path, call: FullCall, text: str, command: str, name: str
) -> None:
    write(folder, text)
    for each in (folder, Path()):
        (each / "evil.py").write_text(MARK)
    torch.save(network().state_dict(), folder / "model.pt")
    code, _, err = call(command, folder / "model.pt")
    assert code == 2 and not Path("ran").exists()
    assert err.startswith(f"error: {folder / FILE_NAME}: {name} names Python code, which a file may not run")
    assert "or add --trust if you trust the file" in err
    call(command, folder / "model.pt", "--trust", *([] if name == "calib" else ["--calib", "digits"]))
    assert Path("ran").exists() == (name == "arch")  # calib: the model is looked at first, and refused


def test_a_command_that_takes_no_trust_runs_no_code_of_a_file(folder: Path, call: FullCall) -> None:
    write(folder, 'calib = "digits"\ntimesteps = 2\nthreshold = "max"\ndata = "evil:data"')
    Path("evil.py").write_text(MARK)
    assert call("compile", folder / "model.pt")[0] == 0
    code, _, err = call("run", folder / "model.net")
    assert code == 2 and err.endswith("give --data evil:data on the command line\n") and not Path("ran").exists()


def test_names_of_our_networks_are_no_code(folder: Path) -> None:
    path = write(folder, 'arch = "vgg16:qcfs"')
    configuration = read_configuration(path, {"compile": {"arch", "trust"}})
    assert options_for(configuration, "compile", {"arch"}, (), trust=False) == {"arch": "vgg16:qcfs"}


def test_errors_say_that_an_option_stands_in_the_file(folder: Path, call: FullCall) -> None:
    path = write(folder, 'calib = "digits"\ntimesteps = 5000\n')
    _, _, err = call("compile", folder / "model.pt")
    assert err == f"error: timesteps (-T): is out of range (expected 1..1024, found 5000); timesteps is set in {path}\n"
    write(folder, 'calib = "nothing"\n')
    assert call("compile", folder / "model.pt")[2].endswith(f"; calib is set in {path}\n")
    assert "is set in" not in call("compile", folder / "model.pt", "--calib", "none")[2]
    assert "is set in" not in call("compile", folder / "other.pt")[2]


def test_mnist_reads_no_pickles(tmp_path: Path, call: FullCall, folder: Path) -> None:
    """A snnc.toml may name a folder: torchvision would open old versions' files there, which nothing checks."""
    pytest.importorskip("torchvision")
    (folder / "MNIST" / "processed").mkdir(parents=True)
    for name in ("training.pt", "test.pt"):
        torch.save((torch.zeros(9, 28, 28, dtype=torch.uint8), torch.arange(9)), folder / "MNIST" / "processed" / name)
    write(folder, 'calib = "mnist:."')
    code, _, err = call("compile", folder / "model.pt")
    assert code == 2 and "the data is not there, incomplete or damaged" in err


@pytest.mark.parametrize("text", ["trust = true", 'arch = "mynet:Net"', 'calib = "mydata:samples"'])
def test_what_a_file_may_not_say_is_refused_before_torch_is_imported(folder: Path, text: str) -> None:
    write(folder, text)
    code = (
        "import sys; from snnc.cli.entry import main; "
        f"code = main(['compile', {str(folder / 'model.pt')!r}]); sys.exit(3 if 'torch' in sys.modules else code)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120, check=False).returncode == 2
