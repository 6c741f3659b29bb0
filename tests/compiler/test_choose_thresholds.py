"""Thresholds that are tried on the network."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.pooled import coarse_images, pooled_network

from snnc.compiler.compilation import Compilation
from snnc.compiler.conversion import choose_thresholds
from snnc.compiler.conversion.assign import WIDEST, AssignThresholds
from snnc.compiler.conversion.choose_thresholds import NEAREST, ChooseThresholds, candidates
from snnc.compiler.ir import SpikingLayer
from snnc.compiler.ir.passes import PassRecord
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import compile_module
from snnc.compiler.search import unexplained
from snnc.runtime.simulator import Simulator

TIMESTEPS = 4


@given(st.integers(1, 20), st.integers(2, 6), st.floats(0.01, 100), st.integers(0, 1000))
def test_what_changes_no_decision_leaves_nothing_unexplained(
    samples: int, channels: int, factor: float, seed: int
) -> None:
    wanted = torch.from_numpy(np.random.default_rng(seed).normal(size=(samples, channels)))
    shift = torch.from_numpy(np.random.default_rng(seed + 1).normal(size=(samples, 1)))
    assert unexplained(factor * wanted + shift, wanted) == pytest.approx(0, abs=1e-9)
    assert unexplained(torch.zeros_like(wanted), wanted) == unexplained(-wanted, wanted) == 1


def test_noise_leaves_its_share_unexplained() -> None:
    wanted, noise = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 4000, 10)))
    assert unexplained(wanted + noise, wanted) == pytest.approx(0.5, abs=0.03)
    one = wanted[:, :1]
    assert unexplained(2 * one + 3, one) == pytest.approx(0, abs=1e-9)


def compiled(samples: int = 96, **options: object) -> Compilation:
    return compile_module(
        pooled_network(), coarse_images(samples), CompileOptions(**{"timesteps": TIMESTEPS, "std": (255.0,), **options})
    )


def record(compilation: Compilation, name: str) -> PassRecord:
    (found,) = (each for each in compilation.records if each.name == name)
    return found


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("calibrate", [(), ("weights", "spread", "bias")])
def test_every_threshold_is_one_of_those_that_were_tried(per_channel: bool, calibrate: tuple[str, ...]) -> None:
    compilation = compiled(per_channel=per_channel, calibrate=calibrate, lead=1)
    result = record(compilation, "ChooseThresholds").result
    profiled = record(compilation, "ProfileActivations").result.graph
    assigned = {
        name: AssignThresholds(TIMESTEPS, method, per_channel=per_channel, objective=objective).run(profiled).graph
        for name, method, objective in candidates()
    }
    for node in result.graph.of_kind(SpikingLayer):
        tried = {name: graph[node.name].op.threshold for name, graph in assigned.items()}
        if result.stats["chosen"] != NEAREST:
            assert np.array_equal(node.op.threshold, tried[result.stats["chosen"]])
        raised = node.op.threshold == node.op.threshold.max() / WIDEST
        assert ((node.op.threshold == np.stack(list(tried.values()))).any(0) | raised).all()
        assert per_channel or len(set(node.op.threshold)) == 1
        assert np.allclose(node.op.initial_potential, node.op.threshold / 2)
    assert not any(Simulator(compilation.program).run(coarse_images(96)).wraps)


def test_the_choice_depends_on_what_is_asked_for() -> None:
    """With lead all of T a layer knows its whole input, and what is left is what thresholds themselves cost."""
    figures = [record(compiled(lead=lead), "ChooseThresholds").result.stats for lead in (0, TIMESTEPS)]
    best = [min(value for value in each.values() if isinstance(value, float)) for each in figures]
    assert best[1] < 0.7 * best[0]


def test_the_nearest_rates_come_nearer_than_those_of_any_one_way() -> None:
    """Of the first layer, whose input does not depend on the choice."""
    compilation = compiled()
    graph, levels = record(compilation, "ProfileActivations").result.graph, coarse_images(96)
    choose = ChooseThresholds(levels, compilation.program.coding, TIMESTEPS, per_channel=True)
    ways = [
        AssignThresholds(TIMESTEPS, way, per_channel=True, objective=m).run(graph).graph for _, way, m in candidates()
    ]
    mixed = choose._tried(levels, levels, ways).graph
    first = graph.of_kind(SpikingLayer)[0]

    def error(op: SpikingLayer) -> np.ndarray:
        drive = first.op.drive(torch.as_tensor(levels, dtype=torch.float32)).double().numpy()
        threshold, potential = (each.reshape(-1, 1, 1) for each in (op.threshold, op.initial_potential))
        counts = np.floor((TIMESTEPS * drive + potential) / threshold).clip(0, TIMESTEPS)
        return ((counts * threshold / TIMESTEPS - drive.clip(0)) ** 2).sum((0, 2, 3))

    best = np.min([error(way[first.name].op) for way in ways], axis=0)
    assert np.allclose(error(mixed[first.name].op), best, rtol=1e-3)


@pytest.mark.parametrize("samples", [2, 15, 17])
def test_few_samples_suffice(samples: int) -> None:
    for calibrate in ((), ("weights", "bias")):
        stats = record(compiled(samples, calibrate=calibrate), "ChooseThresholds").result.stats
        assert all(0 <= value <= 1 for value in stats.values() if isinstance(value, float))


def test_the_choice_is_the_same_each_time() -> None:
    first, second = (compiled(calibrate=("bias",)).program for _ in range(2))
    for one, other in zip(first.layers, second.layers, strict=True):
        assert np.array_equal(one.scale, other.scale) and np.array_equal(one.bias, other.bias)


def test_large_networks_are_tried_on_fewer_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "snnc.compiler.conversion.choose_thresholds.PRODUCTS"
    # Convolutions of 6 x 18 and 8 x 54 weights at 64 places each, or at the pooled sixteen, and two linear layers.
    step = 6 * 18 * 64 + 8 * 54 * 64 + 128 * 12 + 12 * 4
    for products, samples in ((100 * TIMESTEPS * step, "96"), (20 * TIMESTEPS * step, "1\\d|20|9")):
        monkeypatch.setattr(module, products)
        notes = compiled(max_pool="or").program.provenance.notes
        assert any(re.search(rf"on ({samples}) calibration samples", note) for note in notes), (samples, notes)
    monkeypatch.setattr(module, 0)
    tried, one = compiled(max_pool="or"), compiled(max_pool="or", threshold="data-driven", objective=2)
    assert any("m = 2: the network is too large" in note for note in tried.program.provenance.notes)
    for layer, expected in zip(tried.program.layers, one.program.layers, strict=True):
        assert np.array_equal(layer.scale, expected.scale)


@pytest.mark.parametrize(
    ("options", "named", "unnamed"),
    [
        ({"timesteps": 1}, ["--calibrate weights,spread,bias", "--lead 1", "snnc finetune"], []),
        ({"timesteps": 2, "lead": 1}, ["--calibrate weights,spread,bias"], ["--lead"]),
        ({"timesteps": 1, "calibrate": ("weights",)}, ["--lead 1"], ["--calibrate"]),
    ],
)
def test_what_helps_where_much_is_lost_is_what_is_not_in_use(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, object], named: list[str], unnamed: list[str]
) -> None:
    monkeypatch.setattr(choose_thresholds, "MUCH", 0.0)
    notes = record(compiled(**options), "ChooseThresholds").result.notes
    (advice,) = (each for each in notes if "much is lost" in each)
    assert all(each in advice for each in named) and not any(each in advice for each in unnamed)


@pytest.mark.parametrize(("timesteps", "much"), [(1, True), (64, False)])
def test_that_much_is_lost_is_said_where_it_is(timesteps: int, much: bool) -> None:
    result = record(compiled(timesteps=timesteps), "ChooseThresholds").result
    left = result.stats[f"unexplained ({result.stats['chosen']})"]
    assert any("much is lost" in each for each in result.notes) == much == (left >= choose_thresholds.MUCH)
