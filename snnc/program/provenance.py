"""What a compiled network was made from: the ANN's linear layers, the model, the data and the options."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class AnnLayer:
    """A Conv2d or Linear of the ANN, before anything was folded: what the energy comparison counts.

    Attributes:
        module: Qualified name.
        macs: Multiply-accumulate operations for one sample.
    """

    module: str
    macs: int


@dataclass(frozen=True)
class Provenance:
    """Where a compiled network came from; holds no time and no path, so that equal input gives equal files.

    Attributes:
        snnc: Version of the compiler.
        model: SHA-256 of the traced network with its parameters.
        calibration: SHA-256 of the calibration data; empty where there were none.
        calibration_samples: Their number.
        options: The options that shaped the result, by name.
        notes: What the compiler did that the user should know, one sentence each.
    """

    snnc: str
    model: str
    calibration: str
    calibration_samples: int
    options: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
