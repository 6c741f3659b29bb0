"""Every fenced block of README and docs/ is run, or says why not and is checked (tests/support/documents/blocks.py)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from support.documents.blocks import read_blocks
from support.documents.pages import check_page
from support.documents.stand_ins import make_stand_ins

from snnc.common.options import options_of
from snnc.compiler.options import CompileOptions

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
TESTED = [name for name, path in PAGES.items() if "```" in path.read_text(encoding="utf-8")]


def test_the_overview_names_the_ways_to_choose_thresholds() -> None:
    (row,) = (line for line in PAGES["README.md"].read_text(encoding="utf-8").splitlines() if "| Thresholds |" in line)
    ways, found, _ = re.sub(r" \([^)]*\)", "", row.split("|")[2]).partition("; per channel")
    (threshold,) = (each for each in options_of(CompileOptions) if each.name == "threshold")
    assert found and sorted(re.split("[,;] ", ways.strip())) == sorted(map(str, threshold.known))


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stand-ins")
    make_stand_ins(folder)
    return folder


# A page is many commands; all pages together take a minute on an idle machine.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TESTED)
def test_the_blocks_of_a_page_work(name: str, stand_ins: Path, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    shutil.copytree(stand_ins, folder, symlinks=True)
    counts = check_page(PAGES[name], name, folder)
    assert sum(counts.values()) > 0


def test_most_blocks_are_run() -> None:
    blocks = [
        block for name in TESTED for block in read_blocks(PAGES[name], name) if block.language in ("python", "sh")
    ]
    skipped = [block.place for block in blocks if block.reason is not None]
    assert len(skipped) < len(blocks) / 2, skipped
