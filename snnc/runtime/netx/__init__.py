"""Running netx files of lava-dl: the native simulator, and what every backend takes and returns."""

from snnc.runtime.netx.result import NetxResult
from snnc.runtime.netx.schedule import NetxSchedule
from snnc.runtime.netx.simulator import NetxSimulator

__all__ = [
    "NetxResult",
    "NetxSchedule",
    "NetxSimulator",
]
