"""What the pipeline notes of a traced network: its hash, and how many multiplications it takes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from support.tracing import Net
from torch import nn

from snnc.compiler.compilation import graph_hash
from snnc.compiler.frontend import trace
from snnc.compiler.pipeline import count_macs
from snnc.models import resnet20


def hash_of(middle: object) -> str:
    torch.manual_seed(0)
    return graph_hash(trace(Net(middle, 3), (2, 6, 6)))


def test_the_hash_knows_the_entries_of_sparse_maps() -> None:
    calls = [
        lambda net, x: x[:, :1, 1:2, 1:4].flatten(1),
        lambda net, x: x[:, 1:, 1:2, 1:4].flatten(1),
        lambda net, x: x[:, :1, 1:2, 1:6:2].flatten(1),
        lambda net, x: x[:, :1, 1:2, 1:].mean(2, keepdim=True)[:, :, :, 2:].flatten(1),
    ]
    assert len({hash_of(call) for call in calls}) == len(calls)
    assert [hash_of(call) for call in calls] == [hash_of(call) for call in calls]


def test_the_hash_knows_which_values_are_joined() -> None:
    calls = [
        lambda net, x: F.adaptive_avg_pool2d(x + x, (1, 3))[:, :1].flatten(1),
        lambda net, x: F.adaptive_avg_pool2d(x + x.relu(), (1, 3))[:, :1].flatten(1),
        lambda net, x: F.adaptive_avg_pool2d(x.relu() + x.relu(), (1, 3))[:, :1].flatten(1),
    ]
    assert len({hash_of(call) for call in calls}) == len(calls)


@pytest.mark.parametrize("groups", [1, 2])
def test_transposed_convolutions_are_counted_by_the_positions_of_their_input(groups: int) -> None:
    layer = nn.ConvTranspose2d(4, 6, 3, stride=2, groups=groups)
    (count,) = count_macs(trace(nn.Sequential(layer), (4, 5, 7)))
    # By hand: each of the 4 x 5 x 7 inputs meets the weights to the outputs of its group.
    assert count.macs == 4 * 5 * 7 * (6 // groups) * 9


def test_slices_and_padding_multiply_nothing() -> None:
    graph = trace(resnet20(), (3, 32, 32))
    counts = count_macs(graph)
    assert len(counts) == 20
    # By hand: the first layer, three stages of six, of which the first of two halves the image, and the linear layer.
    stages = [6 * 16 * 16 * 9 * 1024, (16 + 5 * 32) * 32 * 9 * 256, (32 + 5 * 64) * 64 * 9 * 64]
    assert sum(count.macs for count in counts) == 3 * 16 * 9 * 1024 + sum(stages) + 64 * 10
