"""The test of the pages can fail: every kind of block that breaks is found (tests/support/documents)."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from support.documents.blocks import PageError, read_blocks
from support.documents.pages import BlockError, check_page

ROOT = Path(__file__).resolve().parents[2]

Count = Callable[[str], dict[str, int]]


@pytest.fixture
def tested(tmp_path: Path) -> Count:
    """Tests a page that holds this text."""
    folder = tmp_path / "folder"
    folder.mkdir()

    def run(text: str) -> dict[str, int]:
        page = tmp_path / "page.md"
        page.write_text(textwrap.dedent(text), encoding="utf-8")
        return check_page(page, "page.md", folder)

    return run


def fenced(text: str, language: str = "sh", marker: str = "") -> str:
    return f"Some text.\n\n{marker}\n```{language}\n{text}\n```\n"


NOT_RUN = "<!-- not run: for this test alone -->"


def test_blocks_share_folder_and_namespace(tested: Count) -> None:
    page = (
        fenced("from pathlib import Path\n\nnumber = 6", "python")
        + fenced("FACTOR = 7", 'python title="own/factor.py"')
        + fenced('Path("answer.txt").write_text(str(number * __import__("own.factor").factor.FACTOR))', "python")
        + fenced("grep -q 42 answer.txt && snnc --version | grep -q snnc\npython -c 'import own.factor'")
        + fenced("$ test -f answer.txt\nanything", "console")
        + fenced("[1, 2]", "json")
        + fenced("anything", "text")
    )
    assert tested(page) == {"run": 4, "checked": 0, "read": 3}


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (fenced("1 / 0", "python"), "page.md:5: ZeroDivisionError"),
        (fenced("print(", "python"), "SyntaxError"),
        (fenced("print(", 'python title="own.py"'), "SyntaxError"),
        (fenced("snnc inspect missing.net"), "missing.net"),
        (fenced("snnc inspect missing.net | cat"), "exit code 2"),
        (fenced("snnc inspekt model.net"), "inspekt"),
        (fenced("false\ntrue"), "exit code 1"),
        (fenced("$ false\ntrue", "console"), "exit code 1"),
        (fenced("python -c 'import nonsense'"), "nonsense"),
        (fenced("nonsense"), "not found"),
        (fenced("make demo"), "tests do not run this"),
        (fenced("echo 'a 1'") + fenced("b 1", "text", "<!-- output -->"), "no line 'b 1'"),
        (fenced("print('a'); print('b')", "python") + fenced("b\na", "text", "<!-- output -->"), "no line 'a'"),
        (fenced("[1, 2", "json"), "JSONDecodeError"),
        (fenced("[table", "toml"), "TOMLDecodeError"),
        (fenced("[table", 'toml title="snnc.toml"'), "TOMLDecodeError"),
        (fenced("snnc compile model.pt --calib digits --nonsense 1", marker=NOT_RUN), "--nonsense"),
        (fenced("snnc compile model.pt --calib digits -T many", marker=NOT_RUN), "many"),
        (fenced("snnc inspekt model.net", marker=NOT_RUN), "inspekt"),
        (fenced("for t in 1 2; do snnc run --data digits; done", marker=NOT_RUN), "NET"),
        (fenced("python -m snnc run model.net --sampels 3", marker=NOT_RUN), "--sampels"),
        (fenced("torchrun --nproc-per-node=2 -m snnc run model.net", marker=NOT_RUN), "--data"),
        (fenced("torchrun --processes=2 -m snnc run model.net --data digits", marker=NOT_RUN), "processes"),
        (fenced("torchrun --nproc-per-node=2 own.py", marker=NOT_RUN), "-m snnc"),
        (fenced("make nonsense", marker=NOT_RUN), "nonsense"),
        (fenced("python benchmarks/nonsense.py", marker=NOT_RUN), "no script"),
        (fenced("python benchmarks/solver.py --nonsense", marker=NOT_RUN), "--nonsense"),
        (fenced("pip install '.[nonsense]'", marker=NOT_RUN), "no extra nonsense"),
        (fenced("nonsense", marker=NOT_RUN), "not found"),
        (fenced("rm something", marker=NOT_RUN), "not found"),
        (fenced("import snnc\n\nsnnc.nonsense", "python", NOT_RUN), "nonsense"),
        (fenced("from snnc.models import nonsense", "python", NOT_RUN), "nonsense"),
        (fenced("import snnc.nonsense", "python", NOT_RUN), "nonsense"),
        (fenced("import snnc\n\nsnnc.run('a', 'b', nonsense=1)", "python", NOT_RUN), "nonsense"),
        (fenced("import snnc\n\nsnnc.load()\nsnnc.load(1, 2)", "python", NOT_RUN), "too many"),
        (fenced("nonsense(", "python", NOT_RUN), "SyntaxError"),
    ],
)
def test_a_block_that_breaks_is_found(tested: Count, block: str, said: str) -> None:
    with pytest.raises(BlockError) as caught:
        tested(block)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "block",
    [
        fenced("snnc compile model.pt --calib digits && snnc run model.net --data cifar10:ROOT | tail", marker=NOT_RUN)
        .replace(" | tail", ""),
        fenced("snnc train --help", marker=NOT_RUN),
        fenced("cd away\nN='--data digits'\nfor t in 1 2; do snnc run $t.net $N; done", marker=NOT_RUN),
        fenced("torchrun --nproc-per-node=2 -m snnc run model.net --data digits", marker=NOT_RUN),
        fenced("make test PYTEST_ARGS='-k x'\nmake", marker=NOT_RUN),
        fenced("pip install 'snnc[onnx,vision]'\ngit clone somewhere\nuv python install 3.10", marker=NOT_RUN),
        fenced("python run_lab.py --backend loihi2", marker=NOT_RUN),
        fenced("import snnc\n\nsnnc.run(net, data, backend='sim')", "python", NOT_RUN),
        fenced("import nonsense", "python", "<!-- run with: nonsense.deeper, json -->"),
    ],
)  # fmt: skip
def test_a_block_that_is_right_is_checked_and_not_run(tested: Count, block: str, tmp_path: Path) -> None:
    assert tested(block) == {"run": 0, "checked": 1, "read": 0}
    assert not [each for each in (tmp_path / "folder").rglob("*") if each.is_file()]


def test_output_may_have_other_figures_and_more_lines(tested: Count) -> None:
    shown = "accuracy 97.5 %\n...\nall 12.5 µJ\n─────"
    printed = "accuracy 7 %\nmore\nall   930 nJ\n──\nrest"
    page = fenced(f"cat <<END\n{printed}\nEND") + fenced(shown, "text", "<!-- output -->")
    assert tested(page) == {"run": 1, "checked": 0, "read": 1}
    # Where the block was not run there is nothing to compare with.
    assert tested(fenced("snnc --version", marker=NOT_RUN) + fenced("anything", "text", "<!-- output -->"))["checked"]


def test_pages_do_not_see_each_others_modules(tested: Count) -> None:
    for number in (1, 22):  # of different length, or Python takes the compiled file of the first
        page = fenced(f"NUMBER = {number}", 'python title="own.py"')
        assert tested(page + fenced(f"from own import NUMBER\n\nassert NUMBER == {number}", "python"))["run"] == 1


def test_a_block_is_run_where_what_it_needs_is_there(tested: Count) -> None:
    assert tested(fenced("x = 1", "python", "<!-- run with: json -->"))["run"] == 1


@pytest.mark.parametrize(
    "block",
    [
        fenced("x", ""),
        fenced("x", "pyhton"),
        fenced("x", "python linenums"),
        fenced("x", "python", "<!-- not run: short -->"),
        fenced("x", "python", "<!-- not run -->"),
        fenced("x", "python", "<!-- not-run: a misspelt marker -->"),
        fenced("x", "text", NOT_RUN),
        fenced("x", "python", "<!-- output -->"),
    ],
)
def test_what_nobody_understands_is_refused(tested: Count, block: str) -> None:
    with pytest.raises(PageError):
        tested(block)


def test_blocks_in_lists_are_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("1. First:\n\n   ```sh\n   true\n   ```\n", encoding="utf-8")
    assert [(block.line, block.text) for block in read_blocks(page, "page.md")] == [(4, "true\n")]
