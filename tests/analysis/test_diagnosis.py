"""What a conversion loses and why: the errors' parts against their definitions, and each rule's words."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.branching import branching
from torch import nn

import snnc
from snnc.analysis.diagnosis import LayerErrors, Stage
from snnc.analysis.diagnosis.evidence import STAGES, Evidence, LayerErrorSums, SynapseRounding
from snnc.analysis.diagnosis.findings import findings
from snnc.cli import main
from snnc.common.errors import ModelError
from snnc.compiler.compilation import Remedies
from snnc.program.targets import LOIHI2
from snnc.program.verdict import NormalisationFit, Verdict
from snnc.reporting.diagnosis import finding_lines


@given(
    seed=st.integers(0, 1000),
    timesteps=st.integers(1, 9),
    batches=st.lists(st.integers(1, 3), min_size=1, max_size=3),
)
def test_errors_are_those_of_the_definition(seed: int, timesteps: int, batches: list[int]) -> None:
    rng = np.random.default_rng(seed)
    layer = branching().layers[0]
    assert layer.threshold is not None
    threshold = rng.uniform(0.5, 2, 4).reshape(-1, 1, 1)
    activations = np.maximum(rng.normal(0.5, 1, (sum(batches), *layer.shape)), 0)
    spikes = rng.integers(0, timesteps + 1, activations.shape)
    rates = spikes / timesteps * threshold
    start = layer.initial_potential / layer.threshold.value
    sums = LayerErrorSums(layer, timesteps, (threshold, start * threshold))
    done = 0
    for size in batches:
        sums.add(activations[done : done + size], rates[done : done + size])
        done += size
    found = sums.result()

    clipped = rounded = received = total = 0.0
    for place, value in np.ndenumerate(activations):
        unit = threshold[place[1], 0, 0]
        # The neuron itself: a constant input, v0, and reset by subtraction.
        potential, count = start, 0
        for _ in range(timesteps):
            potential += value / unit
            fires = potential >= 1
            count += fires
            potential -= fires
        level = count / timesteps * unit
        inside = min(value, unit)
        clipped += value - inside
        rounded += abs(level - inside)
        received += abs(rates[place] - level)
        total += abs(rates[place] - value)
    whole = activations.sum()
    parts = (found.clipped, found.rounded, found.received, found.total)
    assert parts == pytest.approx([each / whole for each in (clipped, rounded, received, total)], rel=1e-9, abs=1e-12)
    assert found.total <= found.clipped + found.rounded + found.received + 1e-12
    assert found.shift == pytest.approx((rates - activations).sum() / whole)
    assert found.saturated == pytest.approx((spikes == timesteps).mean())
    assert found.rate == pytest.approx(spikes.mean() / timesteps)
    active = (activations > 0).any(0)
    assert found.silent == pytest.approx((active & ~(spikes > 0).any(0)).sum() / active.sum())


FINE = LayerErrors("a", "module a", 0.01, 0.05, 0.05, 0.08, 0.0, 0.0, 0.0, 0.2, 200)


def evidence(*accuracies: float, layers: tuple[LayerErrors, ...] = (FINE,), **changes: Any) -> Evidence:
    accuracies = accuracies or (0.9, 0.9, 0.9, 0.9, 0.9)
    stages = [Stage(name, accuracy, accuracy) for name, accuracy in zip(STAGES, accuracies, strict=False)]
    figures = {"wraps": (), "clipped": 0.0, "classes": 10, "target": LOIHI2, "samples": 1000}
    done = {"lead": 0, "corrections": (), "weighed": False, "per_channel": False, "learned": False, "timesteps": 4}
    remedies = Remedies(**{name: changes.pop(name, usual) for name, usual in done.items()}, samples=64)
    return Evidence(stages=stages, layers=layers, remedies=remedies, **{**figures, **changes})


def test_nothing_stands_out_where_nothing_is_wrong() -> None:
    assert findings(evidence()) == ()


@pytest.mark.parametrize(
    ("shown", "what", "advice"),
    [
        (
            evidence(0.9, 0.8, 0.8, 0.8, 0.8),
            "clipping activations at the thresholds costs 10.0 points",
            "--objective 2",
        ),
        (evidence(0.9, 0.9, 0.85, 0.85, 0.85), "rounding activations to 5 levels costs 5.0 points", "a T above 4"),
        (
            evidence(0.9, 0.9, 0.9, 0.6, 0.6),
            "cost 30.0 points beyond that",
            "--calibrate weights,spread,bias.*--lead 2",
        ),
        (evidence(0.9, 0.9, 0.9, 0.6), "and integer weights, cost 30.0 points", "--calibrate weights,spread,bias"),
        (evidence(0.9, 0.9, 0.9, 0.9, 0.6), "the chip's integers cost 30.0 points", "--per-channel.*snnc finetune"),
        (evidence(0.1, 0.1, 0.1, 0.1, 0.1), "the ANN itself is right for 10.0 %", "mean and standard deviation"),
        (evidence(clipped=0.02), "2.0 % of the input values", "calibrate on data like these"),
        (evidence(wraps=(("module b", 7),)), "overflowed 7 times", "compile again"),
        (evidence(layers=(dataclasses.replace(FINE, clipped=0.2),)), "20 % of its activations", "--threshold"),
        (evidence(layers=(dataclasses.replace(FINE, shift=-0.3),)), "fall 30 % short", "--calibrate .*bias"),
        (evidence(layers=(dataclasses.replace(FINE, shift=0.3),)), "exceed the activations by 30 %", "--calibrate"),
        (
            evidence(layers=(dataclasses.replace(FINE, shift=0.3, memoryless=True),)),
            "exceed the maxima by 30 %",
            "--max-pool exact",
        ),
        (evidence(layers=(dataclasses.replace(FINE, silent=0.4),)), "40 % of the neurons .* never fire", "a T above 4"),
        (evidence(layers=(dataclasses.replace(FINE, saturated=0.4),)), "40 % .* fire in every step", "--threshold"),
        (
            evidence(layers=(dataclasses.replace(FINE, silent=1.0, rate=0.0),)),
            "none of its neurons ever",
            "a T above 4",
        ),
        (
            evidence(normalisation=NormalisationFit("module 1", 9.0, "none", (0.0,), (1.0,), 0.01)),
            r"module 1\) is not what it was trained on \(divergence 9\)",
            "--mean 0 --std 1",
        ),
        (
            evidence(0.7, 0.7, 0.7, 0.7, 0.7, judged=Verdict("classes", 128, True, 0.99, None, None, None, None)),
            r"on 70.0 % of these samples, and on 99.0 % of those calibration samples that judged",
            "calibrate on data like these",
        ),
    ],
)
def test_each_rule_says_what_is_wrong_and_what_to_try(shown: Evidence, what: str, advice: str) -> None:
    (found,) = findings(shown)
    assert re.search(what, found.what)
    assert re.search(advice, found.advice)


LOSES = (0.9, 0.9, 0.9, 0.9, 0.6)


def rounding(**changes: Any) -> SynapseRounding:
    return dataclasses.replace(SynapseRounding("module a", "the input", 0.0, 1000, False), **changes)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"layers": (dataclasses.replace(FINE, largest_weight=12),)}, "largest weight is 12 of 254"),
        (
            {
                "layers": (dataclasses.replace(FINE, largest_weight=16),),
                "target": dataclasses.replace(LOIHI2, weight_bits=7, weight_minimum=-128, weight_maximum=126),
            },
            "is 16 of 126: weights have fewer than 5 of 7 bits",
        ),
        ({"rounding": (rounding(zeros=0.75),)}, "75 % of its weights for the input round to 0"),
        ({"rounding": (rounding(zeros=0.6, is_readout=True, threshold=None),)}, "the readout: 60 % of its weights"),
        ({"rounding": (rounding(threshold=9),)}, "its threshold is 9 weight units"),
    ],
)
def test_integers_are_blamed_only_where_they_lose_something(changes: dict[str, Any], what: str) -> None:
    whole, part = findings(evidence(*LOSES, per_channel=True, **changes))
    assert "the chip's integers cost 30.0 points" in whole.what and what in part.what
    assert whole.advice == part.advice == "snnc finetune"
    assert findings(evidence(**changes)) == ()


def test_corrections_show_in_the_integers_alone() -> None:
    assert findings(evidence(0.9, 0.9, 0.9, 0.5, 0.9, corrections=("weights",))) == ()
    (found,) = findings(evidence(0.9, 0.9, 0.9, 0.5, 0.8, corrections=("weights",)))
    assert "cost 10.0 points beyond that" in found.what


@pytest.mark.parametrize(("samples", "number"), [(50, 0), (5000, 1)])
def test_differences_within_the_standard_error_are_no_findings(samples: int, number: int) -> None:
    """Of 50 samples five that are decided otherwise are 2 points by luck."""
    shown = evidence(0.9, 0.9, 0.9, 0.88, 0.88, samples=samples, differing=(0.0, 0.0, 0.1, 0.0))
    assert len(findings(shown)) == number


def test_where_nothing_is_left_to_try_nothing_is_advised() -> None:
    done = {"timesteps": 1024, "learned": True, "lead": 4, "corrections": ("weights", "bias"), "per_channel": True}
    for accuracies in ((0.9, 0.8, 0.8, 0.8, 0.8), (0.9, 0.9, 0.8, 0.8, 0.8), (0.9, 0.9, 0.9, 0.8, 0.8), LOSES):
        (found,) = findings(evidence(*accuracies, **done))
        assert found.advice in ("", "more calibration samples")
        assert "try" not in "".join(list(finding_lines([found]))[1:]) or found.advice


def test_what_was_done_already_is_not_advised() -> None:
    (found,) = findings(evidence(0.9, 0.9, 0.9, 0.6, 0.6, lead=2, corrections=("weights", "bias")))
    assert "--calibrate" not in found.advice
    assert "--lead" not in found.advice
    (found,) = findings(evidence(0.9, 0.9, 0.9, 0.6, 0.6, corrections=("bias",)))
    assert "--calibrate weights,spread,bias" in found.advice


@pytest.mark.parametrize("shift", [-0.3, 0.3])
def test_a_bias_that_was_corrected_is_not_to_be_corrected_again(shift: float) -> None:
    """Networks compiled with --calibrate weights,bias were told to try --calibrate bias."""
    layers = (dataclasses.replace(FINE, shift=shift),)
    (done,) = findings(evidence(layers=layers, corrections=("weights", "bias")))
    assert re.match("--lead 2; a T above 4; more calibration samples", done.advice)
    (in_part,) = findings(evidence(layers=layers, corrections=("weights",)))
    assert in_part.advice == "--calibrate weights,bias"


@pytest.mark.parametrize(
    "shown",
    [
        {"accuracies": (0.9, 0.8, 0.8, 0.8, 0.8)},
        {"accuracies": (0.9, 0.9, 0.8, 0.8, 0.8)},
        {"layers": (dataclasses.replace(FINE, clipped=0.2),)},
        {"layers": (dataclasses.replace(FINE, silent=0.4),)},
        {"layers": (dataclasses.replace(FINE, saturated=0.4),)},
    ],
)
def test_the_defaults_are_not_advised_where_they_were_taken(shown: dict[str, Any]) -> None:
    """A network compiled with --threshold auto was told to try --threshold auto."""
    accuracies, layers = shown.get("accuracies", ()), shown.get("layers", (FINE,))
    (before,) = findings(evidence(*accuracies, layers=layers))
    (found,) = findings(evidence(*accuracies, layers=layers, weighed=True, per_channel=True))
    assert re.search("--threshold auto, or|--per-channel", before.advice)
    assert "--per-channel" not in found.advice and "--objective" not in found.advice
    assert found.advice.startswith("a T above 4")


def test_three_layers_of_a_kind_are_named_the_worst_first() -> None:
    layers = tuple(dataclasses.replace(FINE, where=f"module {i}", silent=0.1 + i / 10) for i in range(5))
    assert [each.where for each in findings(evidence(layers=layers))] == ["module 4", "module 3", "module 2"]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 8, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(72, 4),
    )


def test_with_many_steps_little_is_lost_and_with_one_much() -> None:
    module, images = network(), np.random.default_rng(1).integers(0, 256, (40, 1, 8, 8)).astype(np.uint8)
    errors = []
    for timesteps in (1, 64):
        program = snnc.compile(module, images, timesteps=timesteps)
        found = snnc.diagnose(program, module, images)
        assert [stage.name for stage in found.stages] == list(STAGES)
        assert found.stages[0].agreement == 1 and found.stages[0].accuracy is None
        assert len(found.layers) == 2 and found.notes == ()
        errors.append([layer.total for layer in found.layers])
        validated = snnc.validate(program, module, images, lava=False)
        assert found.stages[-1].agreement == pytest.approx(validated.agreeing / 40)
    assert all(few < many / 4 for many, few in zip(*errors, strict=True))
    assert found.stages[-1].agreement > 0.9


def test_pooling_that_adds_nothing_up_has_no_coarse_weights() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 4, 3), nn.ReLU(), nn.Flatten(),
        nn.Linear(16, 4),
    )  # fmt: skip
    images = np.random.default_rng(1).integers(0, 256, (20, 1, 8, 8)).astype(np.uint8)
    program = snnc.compile(module, images, timesteps=8, max_pool="or", threshold="max")
    found = snnc.diagnose(program, module, images)
    pooling = found.layers[1]
    assert pooling.memoryless and pooling.largest_weight is None
    assert not any("largest weight" in each.what and each.where == pooling.where for each in found.findings)


def test_another_network_is_noticed_or_refused() -> None:
    module, images = network(), np.random.default_rng(1).integers(0, 256, (8, 1, 8, 8)).astype(np.uint8)
    program = snnc.compile(module, images, timesteps=2)
    other = network()
    nn.init.zeros_(other[0].bias)
    assert "not the one" in snnc.diagnose(program, other, images).notes[0]
    other[5] = nn.Linear(72, 5)
    with pytest.raises(ModelError, match="another number of outputs"):
        snnc.diagnose(program, other, images)


def test_the_command_prints_the_tables_and_the_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = network()
    torch.save(module, tmp_path / "model.pt")
    images = np.random.default_rng(1).integers(0, 256, (40, 1, 8, 8)).astype(np.uint8)
    np.savez(tmp_path / "data.npz", x=images, y=np.arange(40) % 4)
    paths = [str(tmp_path / name) for name in ("model.pt", "model.net")]
    data = str(tmp_path / "data.npz")
    assert main(["compile", paths[0], "--calib", data, "-T", "1", "-o", paths[1], "-q"]) == 0
    capsys.readouterr()
    assert main(["diagnose", *paths, "--data", data, "--json"]) == 0
    form = json.loads(capsys.readouterr().out)
    assert form["samples"] == 40 and len(form["layers"]) == 2 and form["findings"]
    assert main(["diagnose", *paths, "--data", data]) == 0
    text = capsys.readouterr().out
    for finding in form["findings"]:
        assert finding["what"][:40] in " ".join(text.split())
    totals = [layer["total"] for layer in form["layers"]]
    worst = form["layers"][int(np.argmax(totals))]["name"]
    rows = text[text.index("worst first") :].splitlines()
    assert rows[2].split()[0] == worst
