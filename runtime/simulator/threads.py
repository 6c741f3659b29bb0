"""Work on several threads, each of which computes alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import torch


def run_side_by_side(tasks: Iterable[Callable[[], None]], threads: int) -> None:
    """Runs tasks, each on one thread; where one fails, those that have not begun are dropped.

    Threads that share a small operation spend their time waiting for one another; whole tasks side by side need not
    meet before the end.

    Args:
        tasks: What to do, in this order; no more are taken than run at a time.
        threads: How many run at a time; 1: in the calling thread, which may then use torch's own threads.
    """
    if threads == 1:
        for task in tasks:
            task()
        return
    count = torch.get_num_threads()
    pending: deque[Future[None]] = deque()
    try:
        with ThreadPoolExecutor(threads, "snnc-simulator", initializer=torch.set_num_threads, initargs=(1,)) as pool:
            try:
                for task in tasks:
                    pending.append(pool.submit(task))
                    if len(pending) >= 2 * threads:
                        pending.popleft().result()
                while pending:
                    pending.popleft().result()
            finally:
                for future in pending:
                    future.cancel()
    finally:
        # What a thread sets for itself becomes the default of threads that come later: set back once all have ended.
        torch.set_num_threads(count)
