"""What commands say of the integers' worth, when they warn, and when they fail."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.command_line import Call, FullCall
from support.digits import Folder, digits
from torch import nn

import snnc
from snnc.compiler.compilation import shortfall
from snnc.program.verdict import LEAST_AGREEMENT

# So few steps, with thresholds that take no heed of them, make no copy of any network.
BAD = ("--calib", "digits", "-T", 1, "--threshold", "max")
BEGINS = "the chip's integers beside the ANN, 128 held-out calibration samples: agrees with the ANN on "


@pytest.fixture
def images(here: Path) -> Path:
    """The digits' images alone."""
    np.savez(here / "images.npz", x=digits(300)[0].numpy())
    return here / "images.npz"


@pytest.fixture
def values(here: Path) -> Path:
    """A network whose outputs are images: they decide nothing."""
    torch.manual_seed(0)
    torch.save(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)), here / "values.pt")
    return here / "values.pt"


def test_the_verdict_is_the_first_thing_that_compile_prints(made: Folder, here: Path, works: Call) -> None:
    first, second, *_ = works(
        "compile", made.model, "--calib", "digits", "-o", "a.net", "--report", "a.html"
    ).splitlines()
    assert re.fullmatch(re.escape(BEGINS) + r"[\d.]+ %, accuracy [\d.]+ %, ANN [\d.]+ % \([+-][\d.]+ points\)", first)
    assert second.startswith(f"{made.model} compiled for loihi2")
    verdict = snnc.load("a.net").provenance.verdict
    assert verdict is not None and verdict.sentence == first and verdict.held_out
    # It goes wherever the network goes.
    assert first in works("inspect", "a.net").splitlines()
    assert works("report", made.model, "a.net", "--data", "digits", "-o", "b.html").startswith(f"{first}\n")
    for page in ("a.html", "b.html"):
        text = (here / page).read_text().replace("&#39;", "'")
        assert 0 < text.index(first) < text.index('<div class="tiles">')


def test_programs_get_the_verdict_too(made: Folder, here: Path, works: Call) -> None:
    compiled = json.loads(works("compile", made.model, "--calib", "digits", "-o", "a.net", "--json"))
    verdict = compiled["verdict"]
    assert verdict["task"] == "classes" and verdict["samples"] == 128 and verdict["failures"] == []
    assert LEAST_AGREEMENT < verdict["agreement"] <= 1 and compiled["passed"] is True
    assert verdict["drop"] == pytest.approx(100 * (verdict["ann_accuracy"] - verdict["snn_accuracy"]))
    # The layers of a table have the same figures.
    assert {each["name"]: each["unexplained"] for each in verdict["layers"]} == {
        each["name"]: each["unexplained"] for each in compiled["layers"]
    }
    assert json.loads(works("inspect", "a.net", "--json"))["verdict"] == verdict
    shown = json.loads(works("report", made.model, "a.net", "--data", "digits", "-o", "b.html", "--json"))
    assert shown["verdict"] == verdict
    validated = json.loads(works("validate", made.model, "a.net", "--data", "digits", "--no-lava", "--json"))
    assert validated["verdict"]["samples"] == validated["samples"] and validated["passed"]


def test_a_bad_network_is_warned_of_with_its_cause_and_what_helps(made: Folder, here: Path, call: FullCall) -> None:
    code, out, err = call("compile", made.model, *BAD, "-o", "bad.net")
    assert code == 0 and "wrote bad.net" in out
    bad = shortfall(snnc.load("bad.net"))
    assert err == f"warning: {bad}\n" and bad is not None
    for part in ("the accuracy drops by ", "it decides as the ANN on ", "the loss begins at layer 2", "--lead 1"):
        assert part in bad
    assert "--threshold auto" in bad and "a T above 1" in bad
    assert f"note: {bad}" in call("inspect", "bad.net")[1]
    with pytest.warns(snnc.VerdictWarning, match=re.escape(bad)) as told:
        snnc.compile(made.model, "digits", timesteps=1, threshold="max")
    assert told[0].filename == __file__


def test_nothing_is_advised_that_was_done(made: Folder, here: Path, call: FullCall) -> None:
    done = ("--lead", 1, "--calibrate", "weights", "--threshold", "auto")
    err = call("compile", made.model, "--calib", "digits", "-T", 1, *done, "-o", "bad.net", "--max-drop", 0)[2]
    advice = err.partition("what helps: ")[2].partition("\n")[0]
    assert "a T above 1" in advice
    assert not any(each in advice for each in ("--lead", "--calibrate", "--threshold", "--per-channel"))


@pytest.mark.parametrize(("points", "code"), [(0, 1), (99.5, 0)])
def test_max_drop_makes_a_loss_a_failure_and_keeps_the_file(
    made: Folder, here: Path, call: FullCall, points: float, code: int
) -> None:
    found, out, err = call("compile", made.model, *BAD, "-o", "bad.net", "--max-drop", points)
    assert found == code and (here / "bad.net").exists() and "wrote bad.net" in out
    assert ("(--max-drop); bad.net is written all the same" in err) == bool(code)
    found, out, _ = call("compile", made.model, *BAD, "-o", "bad.net", "--max-drop", points, "--json")
    assert found == code and json.loads(out)["passed"] is not bool(code)


def test_without_labels_max_drop_is_of_agreement(made: Folder, images: Path, call: FullCall) -> None:
    arguments = ("compile", made.model, "--calib", images, "-T", 1, "--threshold", "max", "-o", "bad.net")
    code, _, err = call(*arguments, "--max-drop", 1)
    assert code == 1 and "the agreement with the ANN drops by " in err
    validating = ("validate", made.model, "bad.net", "--data", images, "--no-lava")
    code, _, err = call(*validating, "--max-drop", 1)
    assert code == 1 and "the agreement with the ANN drops by " in err
    assert call(*validating, "--max-drop", 100)[0] == 0


def test_max_drop_is_refused_where_it_means_nothing(made: Folder, images: Path, values: Path, refused: Call) -> None:
    assert "outputs that are values" in refused("compile", values, "--calib", images, "--max-drop", 1)
    for points in (-1, 101, "nan"):
        assert "0 to 100 points" in refused("compile", made.model, "--calib", "digits", "--max-drop", points)


def test_a_file_may_set_max_drop(made: Folder, here: Path, call: FullCall) -> None:
    (here / "snnc.toml").write_text("max-drop = 0\n")
    assert call("compile", made.model, *BAD, "-o", "bad.net")[0] == 1
    assert call("validate", made.model, "bad.net", "--data", "digits", "--no-lava", "--max-drop", 100)[0] == 0


def test_validate_fails_by_default_where_the_network_is_no_copy(made: Folder, here: Path, call: FullCall) -> None:
    assert call("compile", made.model, *BAD, "-o", "bad.net")[0] == 0
    code, out, err = call("validate", made.model, "bad.net", "--data", "digits", "--no-lava")
    assert code == 1 and out.endswith("failed\n")
    assert "points, more than 5" in err and "fewer than 90 %" in err


def test_outputs_that_are_values_are_judged_as_such(images: Path, values: Path, works: Call, call: FullCall) -> None:
    text = works("compile", values, "--calib", images, "-T", 32, "-o", "values.net")
    assert re.search(r"held-out calibration samples: R squared 0\.9\d+ against the ANN, relative error [\d.]+ %", text)
    code, _, err = call("compile", values, "--calib", images, "-T", 1, "--threshold", "max", "-o", "bad.net")
    assert code == 0 and "R squared against the ANN is " in err


def test_a_file_that_says_nothing_is_not_judged(made: Folder, here: Path, works: Call) -> None:
    program = snnc.load(made.net)
    program.with_provenance(replace(program.provenance, verdict=None)).save("old.net")
    assert "not judged: the file does not say" in works("inspect", "old.net")
    assert json.loads(works("inspect", "old.net", "--json"))["verdict"] is None
    works("report", made.model, "old.net", "--data", "digits", "-o", "old.html")
    assert "not judged" in (here / "old.html").read_text()
