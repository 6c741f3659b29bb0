"""Provenance is typed, survives files, and older files say what they can."""

from __future__ import annotations

import json

import pytest

from snnc.program import Provenance
from snnc.program.provenance import (
    CorrectionFigures,
    PoolingChoice,
    ScaleChoice,
    ThresholdChoice,
    WrongFormError,
    provenance_form,
    provenance_of_form,
)
from snnc.program.verdict import Score

WHOLE = Provenance(
    "1.0",
    "a" * 64,
    "b" * 64,
    12,
    {"timesteps": 8, "mean": (0.5, 0.25), "calibrate": ("bias",), "per_channel": False, "threshold": "auto"},
    ("a note",),
    ThresholdChoice("nearest", 2, (Score("percentile", 0.25),), 64),
    (PoolingChoice("pool", "module 2", "or", 16, (Score("or", 0.5), Score("exact", 0.75))),),
    ScaleChoice(None, 4, 0.001),
    CorrectionFigures(("bias",), 12, (Score("before", 0.5), Score("bias", 0.25))),
)
OLD = {
    "snnc": "0.1.0",
    "model": "m",
    "calibration": "c",
    "calibration_samples": 3,
    "options": {},
    "notes": [],
}


@pytest.mark.parametrize("provenance", [WHOLE, Provenance("", "", "", 0)])
def test_what_is_written_is_read(provenance: Provenance) -> None:
    assert provenance_of_form(json.loads(json.dumps(provenance_form(provenance)))) == provenance


def test_options_of_older_files_become_values() -> None:
    options = {
        "timesteps": "8", "lead": "2", "objective": "1", "per_channel": "True", "strict": "True",
        "calibrate": "bias weights",
        "mean": "0.5 0.25", "std": "1.0", "target": "loihi", "threshold": "optimal", "delta_threshold": "3",
    }  # fmt: skip
    found = provenance_of_form({**OLD, "options": options})
    assert found.options == {
        "timesteps": 8, "lead": 2, "objective": 1, "per_channel": True, "strict": True,
        "calibrate": ("bias", "weights"),
        "mean": (0.5, 0.25), "std": (1.0,), "target": "loihi", "threshold": "optimal", "delta_threshold": 3,
    }  # fmt: skip
    assert found.option_texts == options
    assert (found.words("calibrate"), found.numbers("mean", 0.0)) == (("bias", "weights"), (0.5, 0.25))
    assert (found.words("other"), found.numbers("other", 1.5)) == ((), (1.5,))


@pytest.mark.parametrize(
    ("options", "notes", "method", "objective"),
    [
        ({"threshold": "auto"}, ["thresholds by the nearest to each activation (of the ...)"], "nearest", 2),
        ({"threshold": "auto"}, ["a", "thresholds by data-driven, m = 2 (of the ...)"], "data-driven", 2),
        ({"threshold": "auto"}, ["thresholds by data-driven, m = 1 (of the ...)"], "data-driven", 1),
        ({"threshold": "auto"}, ["thresholds by data-driven, m = 2: the network is too large"], "data-driven", 2),
        ({"threshold": "auto"}, ["thresholds by percentile (of the ...)"], "percentile", None),
        ({"threshold": "optimal", "objective": "2"}, [], "optimal", 2),
        ({"threshold": "mse", "objective": "1"}, [], "mse", 2),
        ({"threshold": "max", "objective": "1"}, [], "max", None),
    ],
)
def test_older_files_say_how_thresholds_were_chosen(
    options: dict[str, str], notes: list[str], method: str, objective: int | None
) -> None:
    found = provenance_of_form({**OLD, "options": options, "notes": notes})
    assert found.thresholds == ThresholdChoice(method, objective)
    assert (found.scale, found.corrections) == (None, None)


def test_older_files_say_how_pooling_is_written_or_nothing() -> None:
    notes = [
        "module 2: maximum pooling by or, 1,600 neurons",
        "module a: maximum pooling by exact (error on the calibration data: or 27.8% at 64 neurons, exact 8.8% at 192 "
        "neurons)",
    ]
    found = provenance_of_form({**OLD, "notes": notes})
    assert found.pooling == (PoolingChoice("", "module 2", "or", 1600), PoolingChoice("", "module a", "exact", 192))
    assert provenance_of_form({**OLD, "options": {"threshold": "auto"}}).thresholds is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": None}, "wrong model"),
        ({"calibration_samples": True}, "wrong calibration_samples"),
        ({"options": {"timesteps": "eight"}}, "wrong options"),
        ({"options": {"per_channel": "yes"}}, "wrong options"),
        ({"options": {"mean": {}}}, "wrong options"),
        ({"notes": ["a", 1]}, "wrong notes"),
        ({"thresholds": {"method": "max"}}, "wrong thresholds"),
        ({"thresholds": {"method": "max", "objective": "2", "scores": [], "samples": 0}}, "wrong thresholds"),
        ({"pooling": [{"node": "x"}]}, "wrong pooling"),
        ({"scale": []}, "wrong scale"),
        ({"more": 1}, "wrong fields"),
    ],
)
def test_what_is_no_provenance_is_refused_by_its_field(change: dict[str, object], words: str) -> None:
    with pytest.raises(WrongFormError, match=words):
        provenance_of_form({**OLD, **change})
    with pytest.raises(WrongFormError, match="wrong fields"):
        provenance_of_form({name: value for name, value in OLD.items() if name != "notes"})
