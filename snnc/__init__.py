"""snnc compiles trained PyTorch networks into spiking networks for Intel Loihi and Lava.

The whole way in Python::

    import snnc

    program = snnc.compile("model.pt", "digits", timesteps=8)
    program.save("model.net")
    result = snnc.run(snnc.load("model.net"), "digits", backend="sim")
    print(result.predictions)

The names below are imported when they are first used, so that ``import snnc`` and ``snnc --help`` take no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snnc.api import compile, diagnose, load, run, validate
    from snnc.compiler.program import Program, SigmaDeltaProgram
    from snnc.diagnosis import Diagnosis
    from snnc.errors import (
        BackendError,
        DataError,
        FormatError,
        ModelError,
        OptionError,
        OutputError,
        PassError,
        SnncError,
        TargetError,
        UnsupportedError,
        UntrustedModelError,
    )
    from snnc.models.data import Dataset, load_data
    from snnc.runtime.result import RunResult
    from snnc.validation import Validation

    __version__: str

__all__ = [
    "BackendError",
    "DataError",
    "Dataset",
    "Diagnosis",
    "FormatError",
    "ModelError",
    "OptionError",
    "OutputError",
    "PassError",
    "Program",
    "RunResult",
    "SigmaDeltaProgram",
    "SnncError",
    "TargetError",
    "UnsupportedError",
    "UntrustedModelError",
    "Validation",
    "__version__",
    "compile",
    "diagnose",
    "load",
    "load_data",
    "run",
    "validate",
]

# Where each name is defined; the errors are all in one module.
_HOMES = {
    "compile": "snnc.api",
    "diagnose": "snnc.api",
    "load": "snnc.api",
    "run": "snnc.api",
    "validate": "snnc.api",
    "Program": "snnc.compiler.program",
    "SigmaDeltaProgram": "snnc.compiler.program",
    "Dataset": "snnc.models.data",
    "Diagnosis": "snnc.diagnosis",
    "load_data": "snnc.models.data",
    "RunResult": "snnc.runtime.result",
    "Validation": "snnc.validation",
}


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("snnc")
    elif name in __all__:
        value = getattr(importlib.import_module(_HOMES.get(name, "snnc.errors")), name)
    else:
        raise AttributeError(f"module 'snnc' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *__all__})
