"""Compiled loops do what they do as plain Python, with and without a place to keep them."""

from __future__ import annotations

import numba
import pytest

from snnc.common.jit import compiled


def double(number: int) -> int:
    return 2 * number


def test_without_a_folder_to_keep_it_in_it_is_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    real = numba.njit

    def njit(*, cache: bool = False, **options: object) -> object:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    assert compiled(double)(21) == 42
    monkeypatch.setattr(numba, "njit", njit)
    assert compiled(double)(21) == 42
