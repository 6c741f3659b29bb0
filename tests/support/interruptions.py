"""Runs that are interrupted on purpose."""

from __future__ import annotations

from collections.abc import Callable

from snnc.models.training.engine import Epoch


def interrupt_after(epoch: int) -> Callable[[Epoch], None]:
    """What to report epochs to, so that training ends with InterruptedError once this one is done."""

    def report(measured: Epoch) -> None:
        if measured.epoch == epoch:
            raise InterruptedError

    return report
