"""The numbers that a synapse stores, and the gate made of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snnc.program import Gate, Scaled
from snnc.program.targets import LOIHI2


@given(st.floats(1, 32640))
def test_a_number_is_stored_below_and_above_itself(limit: float) -> None:
    below, above = Scaled.below(limit, LOIHI2), Scaled.above(limit, LOIHI2)
    assert below.value <= limit <= above.value
    for each in (below, above):
        assert 0 <= each.mantissa <= 255 and 0 <= each.exponent <= 7
    representable = {m << e for m in range(256) for e in range(8)}
    assert below.value == max(each for each in representable if each <= limit)
    assert above.value == min(each for each in representable if each >= limit)


@given(st.floats(-10, 2**18))
def test_the_gate_is_as_strong_as_needed_and_hardly_stronger(needed: float) -> None:
    gate = Gate.above(needed, LOIHI2)
    assert gate.value >= needed
    assert gate.value <= max(1, needed * (1 + 1 / 64) + gate.count)
    assert 0 <= gate.pulse.mantissa <= 255 and 0 <= gate.pulse.exponent <= 7
