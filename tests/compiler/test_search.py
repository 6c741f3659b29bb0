"""One search: the order of tries, ties, refusals; and one judge for all that is searched."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.progress import Heard
from torch import nn

from snnc.common.errors import TargetError
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.compiler.quantization.integers import MARGINS
from snnc.compiler.search import Candidate, Judge, Verdict, search


def tried(verdicts: dict[str, Verdict | TargetError]) -> tuple[str, list[str]]:
    """What a search takes of candidates with these verdicts, and which it made."""
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        verdict = verdicts[name]
        if isinstance(verdict, TargetError):
            raise verdict
        return name

    found = search([Candidate(name, lambda name=name: make(name)) for name in verdicts], lambda name: verdicts[name])
    assert list(found.scores) == [each for each in made if isinstance(verdicts[each], Verdict)]
    return found.name, made


REFUSED = TargetError("does not fit")


@pytest.mark.parametrize(
    ("verdicts", "taken", "made"),
    [
        ({"a": Verdict(2), "b": Verdict(1), "c": Verdict(1)}, "b", "abc"),
        ({"a": Verdict(2), "b": Verdict(3, accepted=True), "c": Verdict(1)}, "b", "ab"),
        ({"a": REFUSED, "b": Verdict(math.inf)}, "b", "ab"),
        ({"a": REFUSED, "b": Verdict(1), "c": Verdict(2)}, "b", "abc"),
    ],
)
def test_the_first_accepted_is_taken_or_the_best(
    verdicts: dict[str, Verdict | TargetError], taken: str, made: str
) -> None:
    assert tried(verdicts) == (taken, list(made))


def test_what_the_last_candidate_is_refused_for_is_told() -> None:
    with pytest.raises(TargetError, match="does not fit"):
        tried({"a": Verdict(1), "b": REFUSED})


class Contrary(Judge):
    """Prefers whatever comes last, and accepts integers with the second margin only."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}

    def _later(self, what: str) -> Verdict:
        self.asked[what] = self.asked.get(what, 0) + 1
        return Verdict(-self.asked[what])

    def pooling(self, found: object, wanted: object) -> Verdict:
        return self._later("pooling")

    def thresholds(self, left: float) -> Verdict:
        return self._later("thresholds")

    def input_spread(self, deviation: float, timesteps: int, divisor: int) -> Verdict:
        return self._later("input_spread")

    def integers(self, wraps: object) -> Verdict:
        return Verdict(0, accepted=self._later("integers").score == -2)


def test_another_judge_decides_everything_that_is_searched() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 3)
    ).eval()
    raw = np.random.default_rng(0).integers(0, 256, (40, 1, 8, 8)).astype(np.uint8)
    judge = Contrary()
    origin = compile_module(network, raw, CompileOptions(timesteps=4, std=(255.0,)), judge=judge).program.provenance
    assert [each.way for each in origin.pooling] == ["exact"]
    assert origin.thresholds.method == "nearest"
    assert (origin.scale.margin, origin.scale.divisor) == (MARGINS[1], 4)
    assert judge.asked == {"pooling": 2, "thresholds": 4, "input_spread": 6, "integers": 2}


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
    assert len(heard.begun) == 9, "and the membranes are measured"


@pytest.mark.parametrize(("target", "quantised"), [("loihi", 2), ("loihi1", 1)])
def test_what_is_corrected_is_quantised_before_only_to_choose_a_spread(target: str, quantised: int) -> None:
    network = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    raw = np.random.default_rng(0).integers(0, 256, (40, 5)).astype(np.uint8)
    made = compile_module(network, raw, CompileOptions(target=target, calibrate=("bias",)))
    assert sum(each.name in ("Quantize", "CorrectAndQuantize") for each in made.records) == quantised
