"""Programs as NIR graphs: nothing is lost on the way there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from programs import assert_same, levels_for, programs

from snnc.compiler.exchange import FORMS, export_nir, load_nir
from snnc.errors import UnsupportedError
from snnc.runtime.simulator import Simulator

nir = pytest.importorskip("nir")


def expressible(program) -> bool:
    """Whether no convolution reads a layer that stands as a vector in the graph."""
    flat = [
        len(each.shape) == 1 or any(synapse.kind == "sparse" for synapse in each.synapses) for each in program.layers
    ]
    return not any(
        synapse.kind == "conv" and synapse.source >= 0 and flat[synapse.source]
        for layer in program.layers
        for synapse in layer.synapses
    )


@settings(max_examples=60)
@given(programs(), st.sampled_from(FORMS))
def test_there_and_back_is_the_same_program(tmp_path_factory: pytest.TempPathFactory, program, form) -> None:
    path = tmp_path_factory.mktemp("nir") / "graph.nir"
    if not expressible(program):
        with pytest.raises(UnsupportedError, match="NIR cannot express it"):
            export_nir(program, path, form)
        assert not path.exists()
        return
    export_nir(program, path, form)
    found = load_nir(path)
    assert_same(found, program)
    levels = levels_for(program)
    there, back = Simulator(program).run(levels, record=True), Simulator(found).run(levels, record=True)
    assert all(np.array_equal(*each) for each in zip(there.spikes, back.spikes, strict=True))
    assert np.array_equal(there.readout, back.readout)
