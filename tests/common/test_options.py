"""Options that are declared once: signatures, docstrings, plain values and command lines that are made of them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import pytest

from snnc.common.errors import OptionError
from snnc.common.options import (
    arguments,
    check_choices,
    from_recorded,
    given,
    inherited,
    option,
    options_of,
    recorded,
    taken,
)
from snnc.common.signatures import called_with, documented


@documented
@dataclass(frozen=True, kw_only=True)
class WalkOptions:
    """What shapes a walk."""

    pace: Literal["slow", "fast"] = option("slow", help="How fast to walk.", shapes=True, wrong="is no pace")
    steps: int | None = option(None, flags=("-n", "--steps"), help="Steps to take.", usual="all", shapes=True)
    weights: float | Sequence[float] = option(0.0, help="What to carry.", shapes=True)
    names: str | Sequence[str] = option((), help="Who comes.", usual="nobody", shapes=True, only="group")
    strict: bool = option(False, help="Allow no rest.", shapes=True, silent=True)
    even: bool = option(True, flags=("--even/--uneven",), help="On even ground.", shapes=True)
    memory: int | None = option(None, help="What to keep in mind.", old=("remembered",))


@dataclass(frozen=True)
class _WalkCall(WalkOptions):
    place: str
    _: KW_ONLY
    options: WalkOptions | None = None


@called_with(_WalkCall)
def walk(call: _WalkCall) -> str:
    """Walk somewhere.

    Args:
        place: Where.
        options: All options at once.

    Returns:
        What was said.
    """
    return f"{call.place} {taken(WalkOptions, call)}"


def test_a_function_has_the_signature_of_its_options() -> None:
    signature = inspect.signature(walk)
    assert str(signature.parameters["place"]) == "place: 'str'"
    assert str(signature.parameters["pace"]) == "pace: \"Literal['slow', 'fast']\" = 'slow'"
    assert signature.parameters["pace"].kind is inspect.Parameter.KEYWORD_ONLY
    assert list(signature.parameters)[-1] == "options"
    assert signature.return_annotation == "str"


def test_docstrings_describe_the_options() -> None:
    assert walk.__doc__ is not None
    assert walk.__doc__.index("place: Where.") < walk.__doc__.index("pace: How fast to walk.")
    assert "    steps: Steps to take. None: all.\n" in walk.__doc__
    assert walk.__doc__.endswith("Returns:\n    What was said.\n")
    assert WalkOptions.__doc__ is not None
    assert "Attributes:\n    pace: How fast to walk.\n" in WalkOptions.__doc__
    assert "names: Who comes. Empty: nobody." in WalkOptions.__doc__


def test_single_options_count_more_than_all_at_once() -> None:
    assert walk("home", options=WalkOptions(pace="fast", steps=3)) == f"home {WalkOptions(pace='fast', steps=3)}"
    # Also where a single one is what is usual.
    assert walk("home", options=WalkOptions(pace="fast"), pace="slow") == f"home {WalkOptions()}"


def test_all_options_at_once_may_be_positional() -> None:
    @dataclass(frozen=True)
    class _Call(WalkOptions):
        place: str
        options: WalkOptions | None = None

    @called_with(_Call)
    def hike(call: _Call) -> str:
        """Walk far."""
        return f"{call.pace} {call.steps}"

    assert hike("there", WalkOptions(pace="fast", steps=3), steps=5) == "fast 5"


def test_an_option_is_declared_again_with_another_default() -> None:
    @dataclass(frozen=True, kw_only=True)
    class RunOptions(WalkOptions):
        pace: Literal["slow", "fast"] = inherited(WalkOptions, "pace", "fast")
        steps: int | None = inherited(WalkOptions, "steps", 9)

    first, again = options_of(WalkOptions), options_of(RunOptions)
    assert [each.help for each in first] == [each.help for each in again]
    assert (again[0].default, again[1].default, again[1].usual) == ("fast", 9, None)


def test_a_former_name_is_still_taken() -> None:
    assert walk("home", remembered=7) == f"home {WalkOptions(memory=7)}"  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"walk\(\) got memory twice: remembered is its former name"):
        walk("home", remembered=7, memory=8)  # type: ignore[call-arg]


def test_an_unknown_argument_is_told_by_the_function() -> None:
    with pytest.raises(TypeError, match=r"walk\(\) got an unexpected keyword argument 'speed'"):
        walk("home", speed=7)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"walk\(\) missing a required argument: 'place'"):
        walk()  # type: ignore[call-arg]


def test_a_value_that_is_no_choice_is_refused() -> None:
    check_choices(WalkOptions())
    with pytest.raises(OptionError, match=r"pace \(--pace\): is no pace|pace: is no pace") as caught:
        check_choices(WalkOptions(pace="crawl"))  # type: ignore[arg-type]
    assert "slow, fast" in str(caught.value)
    assert "'crawl'" in str(caught.value)


def test_plain_values_and_back() -> None:
    options = WalkOptions(weights=(1, 2.5), names="you,me", steps=4)
    plain = recorded(options)
    assert plain == {"pace": "slow", "steps": 4, "weights": (1.0, 2.5), "names": ("you", "me"), "even": True}
    assert from_recorded(WalkOptions, plain) == WalkOptions(weights=(1.0, 2.5), names=("you", "me"), steps=4)
    assert recorded(WalkOptions(strict=True, weights=3), without="group") == {
        "pace": "slow",
        "weights": (3.0,),
        "strict": True,
        "even": True,
    }


def test_texts_of_old_files_are_read() -> None:
    texts = {"pace": "fast", "steps": "4", "weights": "1.0 2.5", "names": "", "even": "False", "unknown": "x"}
    assert from_recorded(WalkOptions, texts) == WalkOptions(
        pace="fast", steps=4, weights=(1.0, 2.5), names=(), even=False
    )
    with pytest.raises(OptionError, match="steps"):
        from_recorded(WalkOptions, {"steps": "many"})


def test_a_command_line_and_what_is_for_one_kind_alone() -> None:
    values = {"pace": "fast", "steps": 4, "weights": (0.0, 0.25), "names": (), "even": False, "strict": True}
    assert arguments(WalkOptions, values) == [
        *("--pace", "fast", "-n", "4", "--weights", "0,0.25", "--strict", "--uneven"),
    ]
    assert [(each.name, value) for each, value in given(WalkOptions(names=["x"]), "group")] == [("names", ["x"])]
    assert list(given(WalkOptions(names=[]), "group")) == []


def test_keys_and_choices_come_from_the_fields() -> None:
    found = {each.name: each for each in options_of(WalkOptions)}
    assert found["even"].key == "even"
    assert found["steps"].key == "steps"
    assert found["pace"].choices == ("slow", "fast")
    assert found["pace"].kind.from_file("slow") == "slow"
    assert found["weights"].kind.from_file([1, 2]) == "1,2"


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What of a walk a run has too."""

    pace: Literal["slow", "fast"] = inherited(WalkOptions, "pace", panel="Running", shapes=False)
    steps: int | None = inherited(WalkOptions, "steps", usual="as the legs say")
    names: str | Sequence[str] = inherited(WalkOptions, "names", only=(), names=lambda: ("me",), silent=True)


def test_options_of_another_verb_are_declared_again_with_what_differs() -> None:
    first = {each.name: each for each in options_of(WalkOptions)}
    pace, steps, names = options_of(RunOptions)
    assert (pace.panel, pace.shapes, pace.default) == ("Running", False, "slow")
    assert (pace.help, pace.choices, pace.wrong) == (first["pace"].help, ("slow", "fast"), "is no pace")
    assert (steps.usual, steps.default, steps.flags) == ("as the legs say", None, ("-n", "--steps"))
    assert (names.only, names.known, names.silent, names.usual) == ((), ("me",), True, "nobody")
    with pytest.raises(TypeError):
        inherited(WalkOptions, "pace", colour="red")
