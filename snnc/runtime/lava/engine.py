"""What runs a network's processes: Lava's runtime with Lava's models, or ours with ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from snnc.common.errors import OptionError
from snnc.runtime.lava.offspring import end_offspring, offspring
from snnc.runtime.lava.population import Process
from snnc.runtime.options import LavaModels, LavaOptions

LAVA_MODELS: tuple[LavaModels, ...] = get_args(LavaModels)
DEFAULT_MODELS: LavaModels = "fast"


def check_models(models: str) -> LavaModels:
    """Return the choice, if it is one.

    Args:
        models: ``fast`` (ours, in one process) or ``stock`` (Lava's, in Lava's runtime).

    Raises:
        OptionError: It is something else.
    """
    for each in LAVA_MODELS:
        if models == each:
            return each
    raise OptionError("unknown models", where="lava models", expected=" or ".join(LAVA_MODELS), found=repr(models))


# Seconds to start, and for a sample. Lava's models take seconds for a sample of a ResNet20.
DEFAULT_TIMEOUT = 600.0


@dataclass(frozen=True)
class LavaRun:
    """How samples run on Lava, whatever the network.

    Attributes:
        options: As the user chose. A process that has ended is noticed within a second, whatever the timeout.
        record: Whether everything that neurons send is kept in the result.

    Raises:
        OptionError: There are no such models, or a number is out of range.
    """

    options: LavaOptions
    record: bool

    @property
    def models(self) -> str:
        """What computes: ``fast`` (in one process) or ``stock`` (in as many processes as the network has)."""
        return self.options.lava_models or DEFAULT_MODELS

    @property
    def timeout(self) -> float:
        """Seconds that a network may take to start, and for a sample."""
        return DEFAULT_TIMEOUT if self.options.lava_timeout is None else self.options.lava_timeout

    @property
    def workers(self) -> int | None:
        """How many networks run side by side; None: one, or as many as a cluster has room for."""
        return self.options.workers

    @property
    def cluster(self) -> str | None:
        """Where workers run; None: on this machine."""
        return self.options.cluster

    def __post_init__(self) -> None:
        check_models(self.models)
        if not self.timeout > 0:
            raise OptionError(
                "is out of range", where="lava timeout", expected="more than 0 seconds", found=f"{self.timeout:g}"
            )
        if self.workers is not None and self.workers < 1:
            raise OptionError("is too small", where="workers", expected="at least 1", found=str(self.workers))


class Engine:
    """The runtime of a network.

    Args:
        process: Any process of the network: Lava finds the others, since they are connected.
        models: ``fast`` or ``stock``.
        timeout: Seconds that processes of the operating system may take to start, and for one call of :meth:`run`.
    """

    def __init__(self, process: Process, models: LavaModels, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._process = process
        self._models = models
        self._timeout = timeout

    def run(self, steps: int) -> None:
        """Run some steps, after starting what has to be started.

        Raises:
            BackendError: A process of Lava's failed, ended, or does not answer.
            Exception: Whatever a process of Lava's raises.
        """
        from lava.magma.core.run_conditions import RunSteps

        if self._process.runtime is None:
            self._start()
        self._process.run(condition=RunSteps(steps))

    def stop(self, *, failed: bool) -> None:
        """End all processes of the operating system.

        Args:
            failed: Something went wrong. It makes no difference: processes are not asked to end, since one that hangs
                would not, but killed; they hold nothing that is still wanted.
        """
        runtime = self._process.runtime
        if runtime is None:
            return
        if self._models == "stock":
            end_offspring(runtime)
        else:
            runtime.stop()

    def _start(self) -> None:
        if self._models == "fast":
            from snnc.runtime.lava.fast.configuration import FastSimCfg
            from snnc.runtime.lava.single import SingleProcessRuntime

            SingleProcessRuntime(self._process.compile(FastSimCfg()))
            return
        from lava.magma.core.run_configs import Loihi2SimCfg

        from snnc.runtime.lava.watched_runtime import WatchedRuntime

        executable = self._process.compile(Loihi2SimCfg(select_tag="fixed_pt"))
        with offspring():
            WatchedRuntime(executable, self._timeout).initialize()
