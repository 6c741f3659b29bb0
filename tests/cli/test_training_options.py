"""``snnc train`` and ``snnc finetune``: options that are declared once, for both commands and for Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

import snnc
from snnc.cli.finetune import finetune_command
from snnc.cli.train import train_command
from snnc.common.options import options_of
from snnc.compiler.conversion.methods import METHODS
from snnc.compiler.options import CompileOptions
from snnc.finetuning.options import KEEP, FinetuneOptions
from snnc.models.training.options import SessionOptions, TrainingOptions, TrainOptions


def typed(command: Callable[..., int]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(command).parameters)


@pytest.mark.parametrize("kind", [TrainingOptions, SessionOptions])
def test_shared_options_are_the_same_in_both_commands(kind: type) -> None:
    one, other = typed(train_command), typed(finetune_command)
    assert len(options_of(kind)) >= 3
    for each in options_of(kind):
        (first, second) = (command[each.name].annotation.__metadata__[0] for command in (one, other))
        assert first.param_decls == second.param_decls and first.rich_help_panel == second.rich_help_panel
        assert first.help.partition("  [default")[0] == second.help.partition("  [default")[0]


def test_finetune_has_the_same_defaults_in_python_and_on_the_command_line() -> None:
    python, command = inspect.signature(snnc.finetune).parameters, typed(finetune_command)
    for each in (*options_of(FinetuneOptions), *options_of(SessionOptions)):
        assert python[each.name].default == each.default == command[each.name].default, each.name


def test_other_defaults_keep_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    epochs = {kind: next(o for o in options_of(kind) if o.name == "epochs") for kind in (TrainOptions, FinetuneOptions)}
    assert [each.default for each in epochs.values()] == [300, 50]
    assert len({each.help for each in epochs.values()}) == 1
    rates = [next(o for o in options_of(kind) if o.name == "learning_rate") for kind in (TrainOptions, FinetuneOptions)]
    assert [each.usual for each in rates] == ["0.1 for up to 10 classes, else 0.02", None]


def test_options_are_given_singly_at_once_or_by_the_former_name() -> None:
    bound = inspect.signature(snnc.finetune).bind("model.pt", "digits", FinetuneOptions(epochs=3), timesteps=2)
    assert bound.arguments["options"].epochs == 3
    for given in ({"options": FinetuneOptions(epochs=0)}, {"settings": FinetuneOptions(epochs=0)}, {"epochs": 0}):
        with pytest.raises(snnc.OptionError, match="--epochs: out of range"):
            snnc.finetune("tests/data/lenet.pt", "digits", **given, device="cpu")
    with pytest.raises(snnc.OptionError, match="--epochs: out of range"):
        snnc.finetune("tests/data/lenet.pt", "digits", FinetuneOptions(epochs=0), timesteps=2, device="cpu")


def test_what_compile_chooses_too_is_described_once() -> None:
    compiled = {each.name: each for each in options_of(CompileOptions)}
    tuned = {each.name: each for each in options_of(FinetuneOptions)}
    for name in ("timesteps", "lead", "per_channel", "objective"):
        assert (tuned[name].help, tuned[name].flags) == (compiled[name].help, compiled[name].flags)
    assert tuned["objective"].choices == (1, 2)
    # A method that is added stands in the help of both.
    assert tuned["threshold"].known == (*METHODS.names, KEEP)
    for name in METHODS.names:
        assert f"``{name}`` (" in tuned["threshold"].help and f"``{name}`` (" in compiled["threshold"].help
