"""Whatever a .net file holds."""

from __future__ import annotations

from snnc.program.program import Program
from snnc.program.sigma_delta import SigmaDeltaProgram

CompiledNetwork = Program | SigmaDeltaProgram
