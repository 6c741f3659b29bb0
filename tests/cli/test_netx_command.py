"""``snnc run`` and ``snnc inspect`` of netx files that snnc did not write, and the same in Python."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.netx_files import NetxFile, dense, image_input, neuron, random_file

import snnc
from snnc.cli import main
from snnc.common.errors import DataError, OptionError

DATA = Path(__file__).parents[1] / "data"
Call = Callable[..., str]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs a command; gives what it printed, of one that fails what it printed to stderr."""

    def run(*arguments: object, code: int = 0) -> str:
        capsys.readouterr()
        assert main([str(each) for each in arguments]) == code
        out, err = capsys.readouterr()
        assert code != 2 or (err.count("\n") == 1 and not out)
        return err if code == 2 else out

    return run


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return calm(random_file(np.random.default_rng(1), block=False, delays=False)).write(tmp_path / "spikes.net")


def calm(file: NetxFile) -> NetxFile:
    """The same with neurons that forget, so that none leaves its 24 bits."""
    for entry in file.entries:
        if "neuron" in entry:
            entry["neuron"].update(iDecay=4096, vDecay=1024)
    return file


@pytest.fixture
def events(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "events.npz", x=rng.integers(0, 2, (6, 5, 2, 5, 4)), y=rng.integers(0, 5, 6))
    return tmp_path / "events.npz"


def test_events_in_spikes_out(net: Path, events: Path, tmp_path: Path, call: Call) -> None:
    output = tmp_path / "out.npz"
    lines = call("run", net, "--data", events, "-o", output).splitlines()
    assert f"{net} (netx) on 6 samples of {events}, T = 5, each sample from rest, backend sim" in lines
    assert any(line.startswith("accuracy ") for line in lines) and f"wrote {output}" in lines
    assert {"layer/1", "layer/3", "layer/4"} <= {line.split()[0] for line in lines if line.split()}
    form = json.loads(call("run", net, "--data", events, "--json"))
    assert (form["format"], form["samples"], form["timesteps"], form["reset_interval"]) == ("netx", 6, 5, 5)
    with np.load(output) as kept:
        assert {*kept} == {"spikes", "counts", "potentials", "scores", "predictions", "labels"}
        assert kept["spikes"].shape == (6, 5, 5) and kept["spikes"].dtype == bool
        assert np.array_equal(kept["spikes"].sum(axis=1), kept["counts"])
        assert kept["predictions"].tolist() == form["predictions"]
        assert kept["scores"].tolist() == form["scores"]
        assert int((kept["predictions"] == kept["labels"]).sum()) == form["correct"]
    with np.load(events) as data:
        result = snnc.run_netx(net, data["x"])
    assert result.scores(snnc.load_netx(net)).tolist() == form["scores"]
    assert [layer["spikes"] for layer in form["layers"]] == [int(each.sum()) for each in result.spike_counts]
    assert sum(layer["spikes"] for layer in form["layers"]) > 0
    before = output.read_bytes()
    call("run", net, "--data", events, "-o", output, "--batch-size", 2, "--memory", "1M")
    assert output.read_bytes() == before


def test_fewer_steps_samples_and_layers(net: Path, events: Path, call: Call) -> None:
    form = json.loads(call("run", net, "--data", events, "-T", 3, "--samples", 2, "--num-layers", 2, "--json"))
    assert (form["timesteps"], form["samples"], len(form["layers"])) == (3, 2, 1)
    stream = json.loads(call("run", net, "--data", events, "--reset-interval", 0, "--json"))
    assert stream["reset_interval"] is None
    text = call("run", net, "--data", events, "--reset-interval", 2, "--reset-offset", 1)
    assert "one stream with resets once in 2 steps, offset 1" in text


def test_images_drive_the_biases_of_an_input_block(tmp_path: Path, call: Call) -> None:
    rng = np.random.default_rng(2)
    source = (2, 5, 4)
    net = calm(random_file(rng, block=True, delays=False)).write(tmp_path / "block.net")
    images = rng.random((3, *source)).astype(np.float32)
    mean, std = np.array([0.5, 0.4]).reshape(2, 1, 1), np.array([0.5, 0.25]).reshape(2, 1, 1)
    biases = np.trunc(36 * ((images - mean) / std) + 34).astype(np.int32)
    np.savez(tmp_path / "images.npz", x=images)
    np.savez(tmp_path / "biases.npz", x=biases)
    transformed = json.loads(
        call("run", net, "--data", tmp_path / "images.npz", "--mean", "0.5,0.4", "--std", "0.5,0.25", "--json")
    )
    plain = json.loads(call("run", net, "--data", tmp_path / "biases.npz", "--json"))
    assert transformed["timesteps"] == plain["timesteps"] == 8
    assert transformed["scores"] == plain["scores"] and transformed["layers"] == plain["layers"]
    assert plain["layers"][0]["spikes"] > 0 and plain["accuracy"] is None
    error = call("run", net, "--data", tmp_path / "biases.npz", "--mean", "0.5", code=2)
    assert "mean and std" in error


def test_bytes_are_255ths_for_an_input_block_and_numbers_for_synapses(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    block = NetxFile([image_input(rng, (1, 2, 2), block=True)]).write(tmp_path / "block.net")
    images = rng.integers(0, 256, (4, 1, 2, 2)).astype(np.uint8)
    held = snnc.run_netx(block, images, timesteps=20)
    assert np.array_equal(held.counts, snnc.run_netx(block, images / 255, timesteps=20).counts)
    synapses = NetxFile([dense(rng, 4, 3)]).write(tmp_path / "dense.net")
    graded = snnc.run_netx(synapses, images, timesteps=5, input_bits=8)
    assert np.array_equal(
        graded.potentials, snnc.run_netx(synapses, images.astype(int), timesteps=5, input_bits=8).potentials
    )


def test_data_sets_by_name_with_labels(tmp_path: Path, call: Call) -> None:
    rng = np.random.default_rng(4)
    net = NetxFile([dense(rng, 64, 10, neuron=neuron(rng, vThMant=300))]).write(tmp_path / "digits.net")
    text = call("run", net, "--data", "digits", "-T", 4, "--samples", 7)
    assert "(" in text and "accuracy" in text
    assert "note: values other than 0 and 1 count as spikes" in text
    assert "note" not in call("run", net, "--data", "digits", "-T", 4, "--samples", 7, "--input-bits", 5)


def test_one_output_is_a_number(tmp_path: Path, call: Call) -> None:
    rng = np.random.default_rng(5)
    layer = dense(rng, 3, 1)
    del layer["neuron"]
    net = NetxFile([layer]).write(tmp_path / "one.net")
    np.savez(tmp_path / "x.npz", x=np.ones((2, 4, 3), bool))
    assert "one output, its membrane potential" in call("run", net, "--data", tmp_path / "x.npz")


def test_states_that_overflow_end_with_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(6)
    layer = dense(rng, 3, 2, weight=np.full((2, 3), 254.0), neuron=neuron(rng, iDecay=0, vDecay=0, vThMant=1 << 17))
    net = NetxFile([layer]).write(tmp_path / "overflow.net")
    np.savez(tmp_path / "x.npz", x=np.full((1, 200, 3), 255))
    assert main(["run", str(net), "--data", str(tmp_path / "x.npz"), "--input-bits", "8"]) == 1
    error = capsys.readouterr().err
    assert "layer/0: a current u wrapped around" in error and "cut to its limits" in error


def test_inspect_shows_what_the_file_describes(net: Path, call: Call) -> None:
    text = call("inspect", net)
    assert f"{net}: netx of lava-dl, input 2×5×4" in text and "conv 2×3, 2→4" in text and "dense" in text
    form = json.loads(call("inspect", net, "--json"))
    assert form["format"] == "netx" and [each["name"] for each in form["layers"]] == ["layer/1", "layer/3", "layer/4"]
    assert form["layers"][0]["synapses"]["groups"] == 2


def test_options_of_the_other_kind_of_file_are_refused(net: Path, events: Path, tmp_path: Path, call: Call) -> None:
    for option, value in (("--stop-at", "1"), ("--workers", "2"), ("--cluster", "ray"), ("--device", "cuda")):
        assert option in call("run", net, "--data", events, option, value, code=2)
    assert "--target" in call("inspect", net, "--target", "loihi1", code=2)
    own = tmp_path / "own.net"
    snnc.compile(DATA / "lenet.pt", str(DATA / "mnist.npz"), timesteps=2).save(own)
    assert "--input-bits" in call("run", own, "--data", DATA / "mnist.npz", "--input-bits", "8", code=2)
    assert "loihi" in call("run", net, "--data", events, "--backend", "loihi", code=2)
    assert "lava models" in call("run", net, "--data", events, "--lava-models", "stock", code=2)
    output = tmp_path / "own.npz"
    assert f"wrote {output}" in call("run", own, "--data", DATA / "mnist.npz", "--samples", 3, "--output", output)
    with np.load(output) as kept:
        assert {*kept} == {"readout", "outputs", "predictions", "labels"} and len(kept["readout"]) == 3


def test_what_cannot_be_read_is_one_line(net: Path, events: Path, tmp_path: Path, call: Call) -> None:
    assert "no .npz file" in call("run", net, "--data", events, "-o", tmp_path / "out.txt", code=2)
    assert "do not fit" in call("run", net, "--data", "digits", code=2)
    assert "timesteps" in call("run", net, "--data", events, "-T", 6, code=2)
    np.savez(tmp_path / "floats.npz", x=np.full((1, 5, 2, 5, 4), 0.5))
    assert "not spikes" in call("run", net, "--data", tmp_path / "floats.npz", code=2)
    np.savez(tmp_path / "labels.npz", x=np.zeros((2, 5, 2, 5, 4), bool), y=np.zeros(3, int))
    assert "one label for each" in call("run", net, "--data", tmp_path / "labels.npz", code=2)
    assert "snnc run and snnc inspect" in call(
        "validate", net, "--model", DATA / "lenet.pt", "--data", DATA / "mnist.npz", code=2
    )


def test_steps_have_to_be_known(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    net = NetxFile([dense(rng, 3, 2)], timesteps=None).write(tmp_path / "net.net")
    with pytest.raises(OptionError, match="timesteps"):
        snnc.run_netx(net, np.ones((1, 3), int))
    assert snnc.run_netx(net, np.ones((1, 3), int), timesteps=2).samples == 1
    with pytest.raises(DataError, match="wrong type"):
        snnc.run_netx(net, np.full((1, 3), "a"), timesteps=2)


@pytest.mark.lava
def test_the_same_on_lava(net: Path, events: Path, call: Call) -> None:
    sim = json.loads(call("run", net, "--data", events, "--json"))
    lava = json.loads(call("run", net, "--data", events, "--backend", "lava", "--json"))
    assert lava["scores"] == sim["scores"]
    for one, other in zip(sim["layers"], lava["layers"], strict=True):
        assert one["spikes"] == other["spikes"] and other["wraps"] is None
    assert "memory" in call("run", net, "--data", events, "--backend", "lava", "--memory", "1G", code=2)
