"""Whether Lava is there."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import multiprocessing
import sys
from collections.abc import Iterator

from snnc.common.errors import BackendError

ADVICE = 'use Python 3.10 and install it with: pip install "snnc[lava]"'


def lava_available() -> str | None:
    """Return None where lava-nc and lava-dl can be imported, else one line that says why not and what to do."""
    for package, module in (("lava-nc", "lava.magma"), ("lava-dl", "lava.lib.dl.netx")):
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            version = ".".join(map(str, sys.version_info[:2]))
            return f"{package} is not installed for this Python {version}; {ADVICE}"
    return None


def import_lava() -> None:
    """Import Lava without the remarks that its packages print about devices nobody asked for.

    Raises:
        BackendError: Lava is not installed, or cannot be imported.
    """
    reason = lava_available()
    if reason:
        raise BackendError(f"the lava backend cannot run: {reason}")
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            _start_method_left_alone(),
        ):
            import lava.lib.dl.netx  # noqa: F401
    except ImportError as error:
        raise BackendError(f"the lava backend cannot run: {error}", advice=ADVICE) from error


@contextlib.contextmanager
def _start_method_left_alone() -> Iterator[None]:
    """Keep Lava, within the block, from setting how processes start: it fails where that is set, as in a worker."""
    if multiprocessing.get_start_method(allow_none=True) is None:
        yield
        return
    before = multiprocessing.set_start_method
    multiprocessing.set_start_method = lambda *_, **__: None
    try:
        yield
    finally:
        multiprocessing.set_start_method = before
