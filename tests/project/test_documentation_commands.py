"""What README, docs/ and the help mention: commands, Python calls, paths and links are those of the present tree.

``test_docs.py`` runs blocks, by whatever names they use; this looks at each mention, in prose and tables too, and takes
no former names of options and arguments.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from support.documents.blocks import Block, read_blocks
from support.documents.mentions import anchors, commands_of, links, spans, typed_commands
from support.documents.python_blocks import check_python

from snnc.cli.application import application
from snnc.cli.options import Invocation
from snnc.cli.parameters import former_keys

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in [*(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")), *ROOT.glob("docs/*.md")]
}
TEXTS = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}
COMMANDS: dict[str, Any] = typer.main.get_command(application).commands  # type: ignore[attr-defined]
# What pages tell of that is not here: two examples of docs/architecture.md, an option of pytest, a folder of lava-dl's.
ELSEWHERE = ("layers", "--nesterov", "--basetemp", "tests/lava/lib/dl/netx")
FOLDERS = "snnc|compiler|runtime|models|tests|tools|benchmarks|docs|docker"
SOURCES = [
    path
    for pattern in ("snnc/**/*.py", "benchmarks/**/*.py", "tools/**/*", ".ci/*", "docker/*", "Makefile", "*.toml",
                    "*.yml", "setup.py")
    for path in ROOT.glob(pattern)
    if path.is_file() and "__pycache__" not in path.parts
]  # fmt: skip


def complaints(words: list[str]) -> str | None:
    """Return what is wrong with a command that stands as one would type it, or None."""
    if not words or words[0] not in COMMANDS:
        return None if not words or words[0] in ("--version", "--help") else "no such command"
    command = COMMANDS[words[0]]
    unknown = unknown_flags(words)
    if unknown or "--help" in words:
        return f"no present name of an option: {unknown}" if unknown else None
    if any("$" in word for word in words):  # test_docs.py has a shell fill it in
        return None
    try:
        context = command.make_context(words[0], words[1:], obj=Invocation())
    except Exception as error:  # noqa: BLE001 - typer ships its own copy of click or uses the installed one
        return str(getattr(error, "message", error))
    for parameter in command.params:
        value = context.params.get(parameter.name)
        if parameter.hidden and value:
            return f"{value} stands where earlier versions had it"
        if parameter.metavar == "MODEL" and str(value).endswith(".net"):
            return f"{value} stands where the model is expected"
        if parameter.metavar == "NET" and value and not re.search(r"\.(net|nir)$", str(value)):
            return f"{value} stands where the compiled network is expected"
    return None


def unknown_flags(words: list[str]) -> list[str]:
    """Return what looks like an option and is none of the command's, or is a former or hidden name of one."""
    command = COMMANDS[words[0]]
    known = {"-h", "--help"}
    for parameter in command.params:
        if not parameter.hidden:
            known |= {*parameter.opts, *parameter.secondary_opts}
    known -= {f"--{each}" for each in former_keys(command)}
    flags = [word.partition("=")[0] for word in words[1:] if re.match(r"--?[A-Za-z]", word)]
    return [each for each in flags if each not in known]


def mentioned(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield what stands after ``snnc`` in the inline code of a page, where that names a command."""
    for line, span in spans(text):
        for words in commands_of(span):
            if words and re.fullmatch(r"[a-z]+", words[0]):
                yield line, words


@pytest.mark.parametrize("name", PAGES)
def test_commands_in_blocks_are_those_of_the_present_command_line(name: str) -> None:
    found = [(place, " ".join(words), complaints(words)) for place, words in typed_commands(PAGES[name], name)]
    assert [each for each in found if each[2]] == []


@pytest.mark.parametrize("name", PAGES)
def test_commands_in_prose_have_the_options_that_are_named(name: str) -> None:
    wrong = [
        f"{name}:{line}: snnc {' '.join(words)}"
        for line, words in mentioned(TEXTS[name])
        if words[0] not in ELSEWHERE and (words[0] not in COMMANDS or unknown_flags(words))
    ]
    assert wrong == []


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_the_help_are_those_of_the_present_command_line(name: str) -> None:
    lines = [line for line in COMMANDS[name].epilog.splitlines() if line.strip().startswith("snnc ")]
    found = [(line, complaints(words)) for line in lines for words in commands_of(line)]
    assert len(found) >= 1 and [each for each in found if each[1]] == []


def test_options_in_prose_belong_to_a_command_or_a_script() -> None:
    own = {flag for command in COMMANDS.values() for each in command.params if not each.hidden
           for flag in (*each.opts, *each.secondary_opts)}  # fmt: skip
    scripts = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES if path.suffix in ("", ".py", ".yml"))
    wrong = [
        f"{name}:{line}: {flag}"
        for name, text in TEXTS.items()
        for line, span in spans(text)
        for flag in re.findall(r"^--[a-z][a-z0-9-]+", span)
        if flag not in (*own, *ELSEWHERE) and not re.search(rf"[\"'\s]{re.escape(flag)}\b", scripts)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", PAGES)
def test_python_in_blocks_and_prose_fits_the_signatures(name: str) -> None:
    blocks = [block for block in read_blocks(PAGES[name], name) if block.language == "python"]
    for line, span in spans(TEXTS[name]):
        if re.match(r"snnc\.\w.*\(", span):
            blocks.append(Block(name, line, "python", span))
        elif re.fullmatch(r"snnc(\.\w+)+", span) and span != "snnc.toml":
            assert pkgutil.resolve_name(span) is not None
    for block in blocks:
        try:
            check_python(block)
        except (AttributeError, ImportError, SyntaxError, TypeError) as error:
            raise AssertionError(f"{block.place}: {error}\n{block.text}") from error


@pytest.mark.parametrize("name", PAGES)
def test_paths_in_pages_are_there(name: str) -> None:
    paths = re.findall(rf"(?<![\w./:@-])((?:{FOLDERS})/[\w./-]*\w)", TEXTS[name])
    assert [each for each in paths if each not in ELSEWHERE and not (ROOT / each).exists()] == []


def test_paths_in_sources_are_there() -> None:
    pattern = re.compile(rf"(?<![\w./:@{{}}-])((?:{FOLDERS})/[\w./-]*\w\.(?:py|md|svg|txt))\b")
    missing = [
        f"{path.relative_to(ROOT)}: {each}"
        for path in SOURCES
        for each in pattern.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / each).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("name", [*PAGES, "CHANGELOG.md"])
def test_relative_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    site = {"index.md": "README.md", "changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
    wrong = []
    for line, link in links(page.read_text(encoding="utf-8")):
        place, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", place):
            continue
        # The site has the pages of the repository's folder by other names (mkdocs.yml).
        home = ROOT / site[place] if place in site and name.startswith("docs/") else page.parent / place
        target = home if place else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            wrong.append(f"{name}:{line}: {link}")
    assert wrong == []
