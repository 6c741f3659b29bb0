"""What a command writes, and where: results to stdout, progress and warnings to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# Where nobody looks at a terminal, lines are as long as they are: nothing is wrapped or cut off.
_UNBOUNDED = 10_000


class Screen:
    """Output of one command.

    Args:
        json: Only a JSON object goes to stdout.
        quiet: Neither results for people nor progress.
        config: The ``snnc.toml`` that options came from, for the JSON object; None where there is none, or where the
            command takes none.
    """

    def __init__(self, *, json: bool = False, quiet: bool = False, config: Path | None = None) -> None:
        self._json = json
        self._config = config
        self._quiet = quiet
        self._out = _console(sys.stdout.isatty(), stderr=False)
        self._err = _console(sys.stderr.isatty(), stderr=True)

    def show(self, content: RenderableType) -> None:
        """Show a line or table for people."""
        if not (self._json or self._quiet):
            self._out.print(content)

    def note(self, text: str) -> None:
        """Show something that the user should know; part of the JSON object where there is one."""
        self.show(f"note: {text}")

    def warn(self, text: str) -> None:
        """Show what is wrong, on standard error."""
        self._err.print(f"warning: {text}")

    def emit(self, form: Mapping[str, object]) -> None:
        """Write the JSON object, where one is wanted."""
        if self._json:
            config = {} if self._config is None else {"config": str(self._config)}
            sys.stdout.write(json.dumps({**form, **config}, indent=2, allow_nan=False) + "\n")
            # Where it cannot be written, that has to show here.
            sys.stdout.flush()

    @contextmanager
    def steps(self) -> Iterator[Steps]:
        """Show progress bars, where someone looks at a terminal."""
        progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._err,
            transient=True,
            disable=self._quiet or not self._err.is_terminal,
        )
        with progress:
            yield Steps(progress, quiet=self._quiet)


class Steps:
    """Progress bars, one below the other; each begins where the one before ends.

    They are a :class:`snnc.common.progress.Progress`.
    """

    def __init__(self, progress: Progress, *, quiet: bool = False) -> None:
        self._progress = progress
        self._is_quiet = quiet
        self._title: str | None = None

    def begin(self, title: str, total: int = 1) -> None:
        """End the step before and begin the next one; do nothing where it is under way already.

        Args:
            title: What happens.
            total: How many things it has to do.
        """
        if title == self._title:
            return
        self.finish()
        self._title = title
        self._progress.add_task(title, total=total)

    def advance(self, done: int) -> None:
        """Show how many things of the current step are done."""
        if self._progress.task_ids:
            self._progress.update(self._progress.task_ids[-1], completed=done)

    def say(self, text: str | None) -> None:
        """Show something to know before the current step goes on, above the bars; None shows nothing."""
        if text and not self._is_quiet:
            self._progress.console.print(text)

    def finish(self) -> None:
        """End the current step."""
        if self._progress.task_ids:
            task = self._progress.tasks[-1]
            self._progress.update(task.id, completed=task.total)


def _console(is_terminal: bool, *, stderr: bool) -> Console:
    # Names of modules and files are printed as they are: no markup, no colouring of figures.
    return Console(
        stderr=stderr,
        markup=False,
        highlight=False,
        emoji=False,
        width=None if is_terminal else _UNBOUNDED,
    )
