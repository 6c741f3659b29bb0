"""One search: the order of tries, ties, refusals; and one judge for all that is searched."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support.progress import Heard
from torch import nn

from snnc.common.errors import TargetError
from snnc.compiler import pipeline
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.compiler.quantization.integers import MARGINS
from snnc.compiler.search import Candidate, Judge, Judgement, search


def tried(verdicts: dict[str, Judgement | TargetError]) -> tuple[str, list[str]]:
    """What a search takes of candidates with these verdicts, and which it made."""
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        verdict = verdicts[name]
        if isinstance(verdict, TargetError):
            raise verdict
        return name

    found = search([Candidate(name, lambda name=name: make(name)) for name in verdicts], lambda name: verdicts[name])
    assert list(found.scores) == [each for each in made if isinstance(verdicts[each], Judgement)]
    return found.name, made


REFUSED = TargetError("does not fit")


@pytest.mark.parametrize(
    ("verdicts", "taken", "made"),
    [
        ({"a": Judgement(2), "b": Judgement(1), "c": Judgement(1)}, "b", "abc"),
        ({"a": Judgement(2), "b": Judgement(3, accepted=True), "c": Judgement(1)}, "b", "ab"),
        ({"a": REFUSED, "b": Judgement(math.inf)}, "b", "ab"),
        ({"a": REFUSED, "b": Judgement(1), "c": Judgement(2)}, "b", "abc"),
    ],
)
def test_the_first_accepted_is_taken_or_the_best(
    verdicts: dict[str, Judgement | TargetError], taken: str, made: str
) -> None:
    assert tried(verdicts) == (taken, list(made))


def test_what_the_last_candidate_is_refused_for_is_told() -> None:
    with pytest.raises(TargetError, match="does not fit"):
        tried({"a": Judgement(1), "b": REFUSED})


class Contrary(Judge):
    """Prefers whatever comes last, and accepts integers with the second margin only."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}

    def _later(self, what: str) -> Judgement:
        self.asked[what] = self.asked.get(what, 0) + 1
        return Judgement(-self.asked[what])

    def pooling(self, found: object, wanted: object) -> Judgement:
        return self._later("pooling")

    def thresholds(self, left: float) -> Judgement:
        return self._later("thresholds")

    def input_spread(self, deviation: float, timesteps: int, divisor: int) -> Judgement:
        return self._later("input_spread")

    def integers(self, wraps: object) -> Judgement:
        # The second of a search is accepted.
        return Judgement(0, accepted=self._later("integers").score % 2 == 0)

    def outputs(self, left: float) -> Judgement:
        return self._later("outputs")

    def worth(self, lost: float, cost: float) -> Judgement:
        return self._later("worth")


def test_another_judge_decides_everything_that_is_searched() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 3)
    ).eval()
    raw = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8)).astype(np.uint8)
    judge = Contrary()
    origin = compile_module(network, raw, CompileOptions(timesteps=4, std=(255.0,)), judge=judge).program.provenance
    assert [each.way for each in origin.pooling] == ["exact"]
    assert origin.thresholds.method == "nearest"
    # The last one by rounding is 4; of it and those beside it, integers tried 2 last.
    assert (origin.scale.margin, origin.scale.divisor) == (MARGINS[1], 2)
    assert {"pooling": 2, "worth": 2}.items() <= judge.asked.items()
    assert {"thresholds", "input_spread", "integers"} <= set(judge.asked)


class Last(Judge):
    """Takes the thresholds that are tried last in integers."""

    def __init__(self) -> None:
        self.lefts: list[float] = []

    def outputs(self, left: float) -> Judgement:
        self.lefts.append(left)
        return Judgement(-len(self.lefts))


def test_thresholds_that_come_near_are_settled_in_integers() -> None:
    """Floating point orders them only: another may be better once weights are rounded."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 30), nn.ReLU(), nn.Linear(30, 4)).eval()
    raw = np.random.default_rng(0).integers(0, 256, (60, 20)).astype(np.uint8)
    usual = compile_module(network, raw, CompileOptions(timesteps=16, std=(255.0,))).program.provenance
    judge = Last()
    other = compile_module(network, raw, CompileOptions(timesteps=16, std=(255.0,)), judge=judge).program.provenance
    assert len(judge.lefts) > 1, "there are rivals"
    assert other.thresholds != usual.thresholds
    (note,) = (each for each in other.notes if "in integers: " in each)
    assert all(f"{left:.1%}" in note for left in judge.lefts)


def test_a_small_network_is_compiled_by_the_passes_that_it_needs() -> None:
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    raw = np.random.default_rng(0).integers(0, 256, (40, 5)).astype(np.uint8)
    heard = Heard()
    made = compile_module(network, raw, CompileOptions(), progress=heard)
    assert [each.name for each in made.records] == [
        "NormalizeInput",
        "FoldAffine",
        "MergeLinear",
        "FormSpikingLayers",
        "AlignPaths",
        "ProfileActivations",
        "ChooseThresholds",
        "Quantize",
    ]
    begun = [title for title, _ in heard.begun]
    quantising = begun.index("quantising to the chip's integers")
    assert quantising == 7 and set(begun[7:]) == {"quantising to the chip's integers", "measuring membrane potentials"}


@pytest.mark.parametrize(("target", "quantised"), [("loihi", 2), ("loihi1", 1)])
def test_what_is_corrected_is_quantised_before_only_to_choose_a_spread(target: str, quantised: int) -> None:
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    raw = np.random.default_rng(0).integers(0, 256, (40, 5)).astype(np.uint8)
    made = compile_module(network, raw, CompileOptions(target=target, calibrate=("bias",)))
    assert sum(each.name in ("Quantize", "CorrectAndQuantize") for each in made.records) == quantised


@pytest.mark.parametrize(("left_with", "left_without", "corrected"), [(0.5, 0.1, False), (0.1, 0.5, True)])
def test_corrections_that_integers_do_not_bear_out_are_left_out(
    monkeypatch: pytest.MonkeyPatch, left_with: float, left_without: float, corrected: bool
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 5)).eval()
    raw = np.random.default_rng(0).random((96, 12)).astype(np.float32)
    plain = compile_module(network, raw, CompileOptions(timesteps=2, threshold="max")).program
    answers = iter((left_with, left_without))
    monkeypatch.setattr(pipeline, "left_by", lambda *_: next(answers))
    options = CompileOptions(timesteps=2, threshold="max", calibrate="weights,bias")
    made = compile_module(network, raw, options).program
    same = all(
        np.array_equal(one.bias, other.bias) and np.array_equal(one.synapses[0].weight, other.synapses[0].weight)
        for one, other in zip(plain.layers, made.layers, strict=True)
    )
    assert same != corrected
    assert any("nothing was corrected" in note for note in made.provenance.notes) != corrected
    assert (made.provenance.corrections is not None) == corrected
