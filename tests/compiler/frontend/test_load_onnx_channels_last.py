"""ONNX graphs as tf2onnx writes them, with channels last, are read with channels first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.onnx_models import check, keras, model, node, random


@pytest.mark.parametrize("samples", ["unk__6", 1])
def test_a_keras_network_is_read_with_channels_first(tmp_path: Path, samples: str | int) -> None:
    check(keras(samples), tmp_path, (3, 12, 10), channels_last=True)


def test_keras_without_a_softmax_and_with_preprocessing(tmp_path: Path) -> None:
    made = model(
        [
            node("Mul", "x factor", "scaled"),
            node("Sub", "scaled offset", "moved"),
            node("Transpose", "moved", "first", perm=[0, 3, 1, 2]),
            node("Pad", "first pads", "padded"),
            node("Conv", "padded w", "conv", kernel_shape=[3, 3], strides=[2, 2]),
            node("Add", "conv b", "biased"),
            node("Relu", "biased", "relu"),
            node("Transpose", "relu", "last", perm=[0, 2, 3, 1]),
            node("ReduceMean", "last", "y", axes=[1, 2], keepdims=0),
        ],
        {
            "factor": np.float32(0.5),
            "offset": np.array([0.1, 0.2, 0.3], np.float32),
            "pads": np.array([0, 0, 0, 0, 0, 0, 1, 1]),
            "w": random(4, 3, 3, 3),
            "b": random(1, 4, 1, 1),
        },
        ("n", 8, 8, 3),
    )
    check(made, tmp_path, (3, 8, 8), channels_last=True)


def test_a_residual_block_and_a_concatenation_with_channels_last(tmp_path: Path) -> None:
    made = model(
        [
            node("Transpose", "x", "a", perm=[0, 3, 1, 2]),
            node("Conv", "a w", "b", pads=[1, 1, 1, 1]),
            node("Transpose", "b", "c", perm=[0, 2, 3, 1]),
            node("Add", "x c", "d"),
            node("Relu", "d", "e"),
            node("Concat", "e c", "f", axis=-1),
            node("Slice", "f starts ends axes", "g"),
            node("Transpose", "g", "h", perm=[0, 3, 1, 2]),
            node("GlobalAveragePool", "h", "i"),
            node("Transpose", "i", "j", perm=[0, 2, 3, 1]),
            node("Squeeze", "j image", "k"),
            node("Gemm", "k m", "y"),
        ],
        {
            "w": random(2, 2, 3, 3),
            "starts": np.array([1]),
            "ends": np.array([2**63 - 1]),
            "axes": np.array([3]),
            "image": np.array([1, 2]),
            "m": random(3, 4),
        },
        ("n", 4, 4, 2),
    )
    check(made, tmp_path, (2, 4, 4), channels_last=True)


def test_one_channel_may_be_moved_by_a_reshape(tmp_path: Path) -> None:
    made = model(
        [
            node("Reshape", "x first", "a"),
            node("Conv", "a w", "b"),
            node("Transpose", "b", "c", perm=[0, 2, 3, 1]),
            node("Reshape", "c flat", "y"),
        ],
        {"first": np.array([-1, 1, 4, 5]), "w": random(2, 1, 3, 3), "flat": np.array([-1, 12])},
        ("n", 4, 5, 1),
    )
    check(made, tmp_path, (1, 4, 5), channels_last=True)
