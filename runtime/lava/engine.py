"""What runs a network's processes: Lava's runtime with Lava's models, or ours with ours."""

from __future__ import annotations

from snnc.runtime.lava.models import LavaModels
from snnc.runtime.lava.offspring import end_offspring, offspring
from snnc.runtime.lava.population import Process


class Engine:
    """The runtime of a network.

    Args:
        process: Any process of the network: Lava finds the others, since they are connected.
        models: ``fast`` or ``stock``.
    """

    def __init__(self, process: Process, models: LavaModels) -> None:
        self._process = process
        self._models = models

    def run(self, steps: int) -> None:
        """Runs some steps, after starting what has to be started.

        Raises:
            Exception: Whatever a process of Lava's raises.
        """
        from lava.magma.core.run_conditions import RunSteps

        if self._process.runtime is None:
            self._start()
        self._process.run(condition=RunSteps(steps))

    def stop(self, *, failed: bool) -> None:
        """Ends all processes of the operating system.

        Args:
            failed: Something went wrong: they may be waiting for each other and are not asked, but killed.
        """
        runtime = self._process.runtime
        if runtime is None:
            return
        if failed and self._models == "stock":
            end_offspring(runtime)
        else:
            runtime.stop()

    def _start(self) -> None:
        if self._models == "fast":
            from snnc.runtime.lava.fast.configuration import FastSimCfg
            from snnc.runtime.lava.single.runtime import SingleProcessRuntime

            SingleProcessRuntime(self._process.compile(FastSimCfg()))
            return
        from lava.magma.core.run_configs import Loihi2SimCfg

        with offspring():
            self._process.create_runtime(run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
