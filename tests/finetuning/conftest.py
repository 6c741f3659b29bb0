"""The digits and an ANN for them, which all tests of fine-tuning begin with."""

from __future__ import annotations

import pytest
from support.digits import trained_on_digits
from torch import nn

from snnc.models.data import load_data
from snnc.models.training.session import Data


@pytest.fixture(scope="package")
def data() -> Data:
    return Data(load_data("digits", split="train").take(300), load_data("digits", split="test").take(100))


@pytest.fixture(scope="package")
def ann() -> nn.Module:
    return trained_on_digits(epochs=6)
