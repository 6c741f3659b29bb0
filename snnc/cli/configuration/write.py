"""A ``snnc.toml`` with its comments, for a model that was looked at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from snnc.analysis.first_look import FirstLook
from snnc.inputs.architectures import named

__all__ = ["configuration_text"]

_WIDTH = 110
# Nodes of the traced network that compute nothing.
_SILENT = ("Input", "Identity", "Output")


def configuration_text(found: FirstLook, model: Path) -> str:
    """Return the text of the file: what was found is set, what is not known is there as a comment.

    Args:
        found: What was found in the model.
        model: Its file.
    """
    blocks = [
        [
            f"# Options for {_quoted(model.name)}, written by snnc init. Each is the long name of an option: see",
            "# snnc compile --help. The command line overrides what stands here. Paths begin at this file's folder.",
        ],
        _about(found),
        _architecture(found),
        _data(found),
        _normalisation(found),
        _timesteps(found),
        _threshold(found),
        [
            "# More accurate at the same T: correct layers on the calibration data, or let each layer integrate",
            "# some steps before it may fire.",
            '# calibrate = ["weights", "spread", "bias"]',
            "# lead = 4",
        ],
        [
            "# Options of one command only.",
            "# [run], [validate], [diagnose], [report], [thresholds], [bundle], [train] and [finetune] are there too.",
            "[compile]",
            '# target = "loihi2"',
            "# calib-samples = 512",
        ],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _about(found: FirstLook) -> list[str]:
    lines = [f"# {found.parameters:,} parameters"] if found.parameters else []
    if found.layers:
        kinds = ", ".join(f"{count} {kind}" for kind, count in found.layers.items() if kind not in _SILENT)
        lines = _wrapped(f"{found.parameters:,} parameters; traced: {kinds}.")
    if found.shape is None:
        lines += ["# Which samples it takes could not be told from the file."]
    elif len(found.shapes) == 1:
        lines += _wrapped(f"It takes samples of {_shape(found)}{_outputs(found)}.")
    else:
        others = len(found.shapes) - 1
        lines += _wrapped(
            f"It runs on samples of {_shape(found)}, as on {others} other sizes that were tried,{_outputs(found)}."
        )
    if found.problem:
        lines += _wrapped(f"It cannot be compiled as it is: {found.problem}")
    return lines


def _architecture(found: FirstLook) -> list[str]:
    if found.arch is None:
        return []
    code = " It is Python code, which runs only with --trust." if named(found.arch) is None else ""
    lines = [f"# The network that the weights in the file belong to.{code}"]
    if found.others:
        lines += _wrapped(f"Weights do not say all: it may also be one of {', '.join(found.others)}.")
    return [*lines, f"arch = {_quoted(found.arch)}"]


def _data(found: FirstLook) -> list[str]:
    lines = [
        "# Data like those the network was trained on: thresholds are chosen on the training split, and the network",
        "# is run on the test split. A folder of class folders of images, FILE.npz with x and y, digits, mnist:ROOT,",
        "# fashion-mnist:ROOT, cifar10:ROOT, cifar100:ROOT or imagenet:ROOT.",
    ]
    if found.data is None:
        return [*lines, '# calib = "images/"', '# data = "images/"']
    if found.data.endswith(":ROOT"):
        name = found.data.removesuffix("ROOT")
        example = [f"# calib = {_quoted(f'{name}data')}", f"# data = {_quoted(f'{name}data')}"]
        return [*lines, "# A guess from the shapes; set the folder where the data are:", *example]
    guess = "This one fits by its shape:" if found.data != "digits" else "A guess from the shapes:"
    return [*lines, f"# {guess}", f"calib = {_quoted(found.data)}", f"data = {_quoted(found.data)}"]


def _normalisation(found: FirstLook) -> list[str]:
    lines = [
        "# What was subtracted from the data in training, and what they were divided by after that. Images of 8 bits",
        "# count from 0 to 1. A wrong value here costs accuracy.",
    ]
    fit, kept = found.fit, found.kept
    if kept is not None:
        return [
            *lines,
            "# The model keeps what it was trained with, and snnc compile takes it from there:",
            f"# mean = {_numbers(kept.mean)}",
            f"# std = {_numbers(kept.std)}",
        ]
    if fit is not None and not fit.fits and fit.other_fits:
        return [
            *lines,
            *_wrapped(
                f"With these ({fit.name}) the data arrive at the first batch normalisation ({fit.where}) as in "
                f"training: divergence {fit.other_divergence:.2g}, in place of {fit.divergence:.2g} without."
            ),
            f"mean = {_numbers(fit.mean)}",
            f"std = {_numbers(fit.std)}",
        ]
    several = found.shape is not None and len(found.shape) == 3 and found.shape[0] == 3
    return [
        *lines,
        f"# mean = {'[0.485, 0.456, 0.406]' if several else '0.1307'}",
        f"# std = {'[0.229, 0.224, 0.225]' if several else '0.3081'}",
    ]


def _timesteps(found: FirstLook) -> list[str]:
    because = " The network was trained for these." if found.timesteps else ""
    return [
        f"# T, the steps that each sample is shown for: more are more exact and slower.{because}",
        f"timesteps = {found.timesteps or 8}",
    ]


def _threshold(found: FirstLook) -> list[str]:
    if found.learned:
        return ["# All activations carry thresholds from training.", 'threshold = "learned"']
    return [
        "# How thresholds are chosen: auto tries several ways on the calibration data.",
        '# threshold = "auto"',
    ]


def _shape(found: FirstLook) -> str:
    assert found.shape is not None
    if len(found.shape) == 1:
        return f"{found.shape[0]:,} features"
    channels, height, width = found.shape
    return f"{channels} x {height} x {width} (channels, height, width)"


def _outputs(found: FirstLook) -> str:
    return "" if found.classes is None else f" and gives {found.classes:,} outputs"


def _numbers(values: Sequence[float]) -> str:
    """Return a TOML number, or a list of several."""
    return f"{values[0]:.4g}" if len(values) == 1 else f"[{', '.join(f'{each:.4g}' for each in values)}]"


def _quoted(text: str) -> str:
    """Return a TOML string; JSON's escapes are among TOML's, which takes no DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _wrapped(text: str) -> list[str]:
    """Return a comment of lines of bounded length, without what would end one."""
    lines, line = [], "#"
    for word in "".join(each if each.isprintable() else " " for each in text).split():
        if len(line) + 1 + len(word) > _WIDTH and line != "#":
            lines.append(line)
            line = "#"
        line += f" {word}"
    return [*lines, line]
