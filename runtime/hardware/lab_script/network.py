"""Lava's processes, made of their description."""

from __future__ import annotations

from typing import Any

from snnc.runtime.hardware.lab_script.bundle_folder import Bundle


def build(bundle: Bundle, input_port: Any) -> list[Any]:
    """Lava's processes, connected; Lava keeps none of them, so the caller does.

    Args:
        bundle: The bundle.
        input_port: What sends the input.

    Returns:
        The processes by their numbers; None for the input.
    """
    from lava.proc.conv.process import Conv
    from lava.proc.dense.process import Dense
    from lava.proc.lif.process import LIF, LIFReset
    from lava.proc.sparse.process import DelaySparse, Sparse

    kinds = {each.__name__: each for each in (Conv, Dense, DelaySparse, LIF, LIFReset, Sparse)}
    processes: list[Any] = []
    for each in bundle.form["processes"]:
        options = {name: _option(bundle, name, value) for name, value in each["options"].items()}
        processes.append(None if each["kind"] == "Source" else kinds[each["kind"]](**options))
    for each in bundle.form["connections"]:
        source = processes[each["source"]]
        port = input_port if source is None else getattr(source, each["source_port"])
        for method, axes in each["rearranged"]:
            port = {"reshape": port.reshape, "transpose": port.transpose}[method](tuple(axes))
        port.connect(getattr(processes[each["target"]], each["target_port"]))
    return processes


def _option(bundle: Bundle, name: str, value: Any) -> Any:
    if name == "sign_mode":
        from lava.utils.weightutils import SignMode

        return SignMode[value]
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict) and "array" in value:
        return bundle.arrays[value["array"]]
    if isinstance(value, dict):
        from scipy.sparse import csr_matrix

        name = value["matrix"]
        parts = tuple(bundle.arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
        return csr_matrix(parts, shape=tuple(value["shape"]))
    return value
