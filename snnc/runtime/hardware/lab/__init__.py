"""A bundle that runs a network in a laboratory without snnc, and the result that comes back."""

from snnc.runtime.hardware.lab.bundle import write_bundle
from snnc.runtime.hardware.lab.result import LabResult, read_lab_result

__all__ = ["LabResult", "read_lab_result", "write_bundle"]
