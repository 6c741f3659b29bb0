"""Where workers run: processes of this machine, or a cluster that joblib knows by its name."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from joblib import parallel_config

from snnc.errors import BackendError, OptionError, first_line

EXPECTED = "dask:ADDRESS, such as dask:tcp://host:8786; ray; or ray:ADDRESS"
# A scheduler that does not answer for so long is not there.
SECONDS_TO_CONNECT = 10


@contextlib.contextmanager
def joblib_backend(cluster: str | None) -> Iterator[None]:
    """Within it, joblib's ``Parallel`` runs its work there.

    Args:
        cluster: None (processes of this machine), ``dask:ADDRESS``, ``ray`` or ``ray:ADDRESS``.

    Raises:
        OptionError: It names no cluster.
        BackendError: What it takes is not installed, or the cluster does not answer.
    """
    if cluster is None:
        # One thread for each network: there are as many as the user wants cores to be used.
        with parallel_config(backend="loky", inner_max_num_threads=1, initializer=ignore_interrupts):
            yield
        return
    name, _, address = cluster.partition(":")
    if name == "dask" and address:
        with _dask(address), parallel_config(backend="dask", wait_for_workers_timeout=SECONDS_TO_CONNECT):
            yield
    elif name == "ray":
        _register_ray(address)
        with parallel_config(backend="ray"):
            yield
    else:
        raise OptionError("cannot be understood", where="cluster", expected=EXPECTED, found=repr(cluster))


def ignore_interrupts() -> None:
    """Has a worker leave Ctrl-C, which reaches all processes of a terminal, to whoever started it and will end it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _dask(address: str) -> Iterator[None]:
    try:
        from distributed import Client
    except ImportError:
        raise BackendError(
            "the cluster cannot be used: dask is not installed for this Python",
            advice='install it with: pip install "dask[distributed]"',
        ) from None
    try:
        client = Client(address, timeout=SECONDS_TO_CONNECT)
    except (OSError, TimeoutError, ValueError) as error:
        raise BackendError(
            "the cluster does not answer",
            where=f"dask:{address}",
            expected="the address of a dask scheduler that runs",
            found=first_line(error),
        ) from error
    with client:
        if not client.scheduler_info()["workers"]:
            raise BackendError(
                "the cluster has no workers", where=f"dask:{address}", advice="start some with: dask worker ADDRESS"
            )
        yield


def _register_ray(address: str) -> None:
    try:
        import ray
        from ray.util.joblib import register_ray
    except ImportError:
        raise BackendError(
            "the cluster cannot be used: ray is not installed for this Python",
            advice="install it with: pip install ray",
        ) from None
    try:
        if not ray.is_initialized():
            ray.init(address=address or None, log_to_driver=False)
    except (ConnectionError, OSError, ValueError) as error:
        raise BackendError(
            "the cluster does not answer", where=f"ray:{address}" if address else "ray", found=first_line(error)
        ) from error
    register_ray()
