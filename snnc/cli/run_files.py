"""The files that a training run writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snnc.cli.outputs import check_writable
from snnc.errors import OutputError

__all__ = ["RunFiles"]


@dataclass(frozen=True)
class RunFiles:
    """What a run writes.

    Attributes:
        model: The trained network.
        checkpoint: The state behind the last epoch.
        log: What was measured, as JSON.
    """

    model: Path
    checkpoint: Path
    log: Path

    @classmethod
    def of(cls, model: Path) -> RunFiles:
        """The three files of a network's."""
        return cls(model, model.with_suffix(".checkpoint"), model.with_suffix(".json"))

    def check(self, weights: Path | None, *, resume: bool) -> None:
        """Makes sure that all can be written and that no unfinished run is lost.

        Args:
            weights: A file that must not be overwritten.
            resume: Whether the run goes on from the checkpoint.

        Raises:
            OutputError: A file cannot be written, is ``weights``, or holds a run that is not to be resumed.
        """
        if self.model in (self.checkpoint, self.log):
            raise OutputError(
                "is the name of the checkpoint or the log", where=str(self.model), expected="a name that ends in .pt"
            )
        for path in (self.model, self.checkpoint, self.log):
            check_writable(path, instead_of=weights)
        if self.checkpoint.exists() and not resume:
            raise OutputError(
                "exists, perhaps of a run that is not finished",
                where=str(self.checkpoint),
                advice="add --resume to go on from it, or delete it to begin anew",
            )
