"""What Lava remembers of a network after it has ended."""

from __future__ import annotations

from typing import Any


class Registration:
    """Lava's list of all processes and variables that were ever made, which would keep every network alive.

    A network holds its whole input and what it computed last, so a run of many networks would fill the memory.
    """

    def __init__(self) -> None:
        from lava.magma.core.process.process import ProcessServer
        from lava.magma.core.process.variable import VarServer

        self._lists: tuple[tuple[Any, str], ...] = ((ProcessServer(), "processes"), (VarServer(), "vars"))
        self._known = [len(getattr(server, name)) for server, name in self._lists]
        self._own: list[set[int]] = []

    def complete(self) -> None:
        """All processes of the network are there."""
        self._own = [
            {id(each) for each in getattr(server, name)[known:]}
            for (server, name), known in zip(self._lists, self._known, strict=True)
        ]

    def remove(self) -> None:
        """Has Lava forget the network."""
        for (server, name), own in zip(self._lists, self._own, strict=False):
            kept = []
            for each in getattr(server, name):
                if id(each) not in own:
                    kept.append(each)
                elif name == "processes":
                    _detach(each)
            setattr(server, name, kept)


def _detach(process: Any) -> None:
    from lava.magma.core.process.ports.ports import ImplicitVarPort

    # Its destructor would stop a runtime that has stopped.
    process.runtime = None
    # Lava writes ports by which variables are read into the class of the model.
    model = process.model_class
    for name, port in list(vars(model).items() if model else ()):
        if isinstance(port, ImplicitVarPort) and port.process is process:
            delattr(model, name)
