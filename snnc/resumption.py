"""What the result of a run depends on, so that an interrupted one goes on only as the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from snnc import __version__
from snnc.compiler.emit.writer import to_bytes
from snnc.compiler.program import CompiledNetwork


def run_identity(
    program: CompiledNetwork, backend: str, *, record: bool, stop_at: Sequence[int]
) -> Mapping[str, object]:
    """What a result depends on beside the data; options that change only how it is computed are none of it."""
    return {
        "network": hashlib.sha256(to_bytes(program)).hexdigest(),
        "backend": backend,
        "stop-at": ",".join(map(str, sorted(set(stop_at)))),
        "spikes": record,
        "snnc": __version__,
    }
