"""The keys of a ``snnc.toml``: the long names of options, and which values they take.

They come from the options themselves (:mod:`snnc.common.options`). The file may lie beside a model that somebody else
sent, so what could run code, write files or reach other machines is left to the command line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from snnc.analysis.options import DiagnoseOptions, DropOptions, ReportOptions, ValidateOptions
from snnc.common.option_kinds import ARCHITECTURE, DATA, PATH, Kind, Plain
from snnc.common.options import Option, options_of
from snnc.compiler.options import CompileOptions, ModelFileOptions, ThresholdOptions
from snnc.finetuning.options import FinetuneOptions, TeacherOptions
from snnc.models.training.options import SessionOptions, StartOptions, TrainOptions
from snnc.runtime.options import BundleOptions, NetxRunOptions, RunOptions

__all__ = ["ARCHITECTURE", "COMMANDS", "COMMAND_LINE_ONLY", "DATA", "KEYS", "PATH", "Plain", "key_table"]

# The commands that take options from a file, and the dataclasses of these.
COMMANDS: Mapping[str, tuple[type, ...]] = {
    "compile": (CompileOptions, DropOptions),
    "run": (RunOptions, NetxRunOptions),
    "validate": (ValidateOptions, DropOptions),
    "diagnose": (DiagnoseOptions,),
    "report": (ReportOptions,),
    "thresholds": (ThresholdOptions,),
    "bundle": (BundleOptions,),
    "train": (StartOptions, TrainOptions, SessionOptions),
    "finetune": (FinetuneOptions, TeacherOptions, ModelFileOptions, SessionOptions),
}
# Keys of what a verb works on, which is no option of it: the kind, the commands, and what it is.
_ARGUMENTS: Mapping[str, tuple[Kind, tuple[str, ...], str]] = {
    "calib": (DATA, ("compile", "thresholds"), "Calibration data, as for `--calib`."),
    "data": (DATA, ("run", "validate", "diagnose", "report", "bundle", "train", "finetune"), "Data, as for `--data`."),
    "model": (PATH, ("validate", "thresholds"), "The model, where only `NET` stands on the command line."),
}


def _options() -> Iterator[tuple[str, Option]]:
    for command, kinds in COMMANDS.items():
        seen = set()
        for kind in kinds:
            for option in options_of(kind):
                if option.flags and (option.name, option.help) not in seen:
                    seen.add((option.name, option.help))
                    yield command, option


_KINDS = {option.key: option.kind for _, option in _options() if option.file is True}
_KINDS |= {name: kind for name, (kind, _, _) in _ARGUMENTS.items()}
# In alphabetical order.
KEYS: Mapping[str, Kind] = dict(sorted(_KINDS.items()))

_WRITES = "it names a file that is written, and a snnc.toml beside a model must not say which"
_TALK = "it says how one call talks"
# Options that no file sets, and why.
COMMAND_LINE_ONLY: Mapping[str, str] = {
    **{option.key: option.file for _, option in _options() if isinstance(option.file, str)},
    "config": "it names the file itself",
    "json": _TALK,
    "lab": "it asks for a report of another kind",
    "no-config": "it leaves the file out",
    "output": _WRITES,
    "plot": _WRITES,
    "quiet": _TALK,
    "report": _WRITES,
    "report-data": "it is for one page",
    "verbose": _TALK,
}


def key_table() -> str:
    """Return the table of all keys, in Markdown: what docs/configuration.md shows."""
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for name, (kind, commands, text) in _ARGUMENTS.items():
        rows[name, kind.name, "", text] = list(commands)
    for command, option in _options():
        if option.file is True:
            row = (option.key, _values(option), _default(option), option.help.replace("``", "`").replace("|", "\\|"))
            rows.setdefault(row, []).append(command if option.shared else f"`[{command}]`")
    lines = ["| key | value | default | commands | what it says |", "| --- | --- | --- | --- | --- |"]
    for (key, values, default, text), commands_of in sorted(rows.items()):
        lines.append(f"| `{key}` | {values} | {default} | {', '.join(commands_of)} | {text} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def _values(option: Option) -> str:
    return ", ".join(f"`{each}`" for each in option.known) or option.kind.name


def _default(option: Option) -> str:
    if option.usual is not None:
        return option.usual.replace("``", "`")
    if option.default is None or option.default == ():
        return ""
    return (
        f"`{str(option.default).lower()}`"
        if isinstance(option.default, bool)
        else f"`{option.written(option.default)[-1]}`"
    )
