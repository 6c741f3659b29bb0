"""The objective m as an option: what it changes, and where it means nothing."""

from __future__ import annotations

import numpy as np
import pytest
from torch import nn

from snnc.common.digits import rounded
from snnc.common.errors import OptionError
from snnc.compiler.conversion.assign import WIDEST
from snnc.compiler.conversion.profile import ProfileActivations
from snnc.compiler.conversion.solver import solve_distributions
from snnc.compiler.frontend import choose_coding, trace
from snnc.compiler.ir import SpikingLayer
from snnc.compiler.lowering.spiking_layers import FormSpikingLayers
from snnc.compiler.options import CompileOptions
from snnc.compiler.pipeline import threshold_pass


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"objective": 3}, "expected 1 or 2, found 3"),
        ({"objective": 0, "threshold": "optimal"}, "expected 1 or 2, found 0"),
        ({"objective": 2, "threshold": "percentile"}, "percentile minimises no error.*data-driven or optimal"),
        ({"objective": 2}, "auto tries both.*data-driven or optimal"),
        ({"objective": 2, "threshold": "learned"}, "learned minimises no error"),
    ],
)
def test_an_objective_that_cannot_be_is_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=rf"^objective \(--objective\).*{words}"):
        CompileOptions(**options).check()
    for threshold in ("data-driven", "optimal"):
        CompileOptions(objective=2, threshold=threshold).check()


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("objective", [1, 2])
@pytest.mark.parametrize("method", ["data-driven", "optimal"])
def test_thresholds_minimise_the_error_of_the_objective(method: str, objective: int, per_channel: bool) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (50, 6), np.uint8)
    graph = FormSpikingLayers().run(trace(nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 2)), (6,))).graph
    graph = ProfileActivations(levels).run(graph).graph
    coding = choose_coding(levels, "graded")
    options = CompileOptions(timesteps=4, threshold=method, objective=objective, per_channel=per_channel)
    result = threshold_pass(options, levels, coding).run(graph)
    (layer,) = result.graph.of_kind(SpikingLayer)
    sketch = layer.op.profile.activations
    found = sketch.distributions(4) if per_channel else [sketch.distribution(4)]
    solutions = solve_distributions(found, 4, method, objective=objective)
    threshold = np.ones(5) * [each.threshold for each in solutions]
    # To 16 bits, as they are written.
    assert np.array_equal(layer.op.threshold, rounded(np.maximum(threshold, threshold.max() / WIDEST)))
    total = sum(each.power_sum(objective) for each in found if each)
    assert result.stats["relative_conversion_error"] == pytest.approx(sum(each.error for each in solutions) / total)
    assert 0 < result.stats["relative_conversion_error"] < 1
