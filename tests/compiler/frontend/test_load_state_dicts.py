"""State dicts: a missing or superfluous ``--arch``, and keys and shapes that do not fit."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from support.saved_models import line, saved, small_network
from torch import nn

from snnc.common.errors import ModelError, OptionError
from snnc.compiler.frontend.files.load import load_model
from snnc.compiler.frontend.files.state import load_state
from snnc.compiler.frontend.files.torch_save import read_restricted


def test_a_state_dict_without_arch_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as error:
        load_model(saved(small_network().state_dict(), tmp_path / "m.pt"))
    assert "is a state_dict of 9 tensors" in line(error) and "give --arch module:factory" in line(error)


def test_arch_with_a_whole_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"--arch: is only for a state_dict.*class Sequential.*leave --arch out"):
        load_model(saved(small_network(), tmp_path / "m.pt"), arch="torch.nn:ReLU")


def test_keys_that_do_not_fit_are_named(tmp_path: Path) -> None:
    network = small_network()
    state = network.state_dict()
    state["other"] = state.pop("6.bias")
    with pytest.raises(ModelError) as error:
        load_state(network, state, "m.pt")
    assert "1 missing: 6.bias; 1 unexpected: other" in line(error)
    state = small_network().state_dict()
    state["6.weight"] = torch.ones(4, 31)
    state["6.bias"] = torch.ones(4, dtype=torch.int8)
    del state["0.bias"]
    with pytest.raises(ModelError) as error:
        load_state(network, state, "m.pt")
    assert "1 missing: 0.bias" in line(error)
    assert "2 of another shape or type: 6.weight (4, 31) instead of (4, 32), 6.bias torch.int8" in line(error)


def test_many_wrong_keys_are_cut_short() -> None:
    state = {f"layer{number}.weight": torch.ones(1) for number in range(1000)}
    with pytest.raises(ModelError) as error:
        load_state(small_network(), state, "m.pt")
    assert "1000 unexpected: layer0.weight, layer1.weight, layer2.weight, ..." in line(error)
    assert len(line(error)) < 400


def test_a_networks_own_module_prefix_is_kept() -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = nn.Linear(2, 2)

    source, target = Wrapper(), Wrapper()
    load_state(target, source.state_dict(), "m.pt")
    assert torch.equal(target.module.weight, source.module.weight)


def test_versions_of_old_layers_are_honoured(tmp_path: Path) -> None:
    # Batch norm before version 2 had no num_batches_tracked, and torch accepts its absence for these alone.
    state = small_network().state_dict()
    del state["1.num_batches_tracked"]
    with pytest.raises(ModelError, match=r"1 missing: 1\.num_batches_tracked"):
        load_state(small_network(), state, "m.pt")
    state._metadata["1"]["version"] = 1
    path = saved(state, tmp_path / "m.pt")
    load_state(small_network(), state, "m.pt")
    assert read_restricted(path)._metadata["1"] == {"version": 1}
