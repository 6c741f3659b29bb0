"""The site: it builds without a warning, fetches nothing from elsewhere, and shows formulas without a script."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "mkdocs.yml"
NEEDED = ("mkdocs", "material", "mkdocstrings", "latex2mathml")

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED), reason="the extra docs is not installed"
)


def build(destination: Path, configuration: Path = CONFIGURATION) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    return subprocess.run(
        [*command, "--config-file", str(configuration), "--site-dir", str(destination)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    found = build(folder)
    assert found.returncode == 0, found.stderr
    return folder


def text_of(site: Path, page: str) -> str:
    return (site / page).read_text(encoding="utf-8")


def test_every_page_is_there_and_in_the_navigation(site: Path) -> None:
    sources = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    pages = {path.relative_to(site) for path in site.rglob("*.html")} - {Path("404.html")}
    assert sources | {Path("index.html"), Path("changelog.html"), Path("contributing.html")} == pages
    navigation = re.findall(r"[\w/-]+\.md", yaml.dump(yaml.safe_load(CONFIGURATION.read_text())["nav"]))
    assert len(navigation) == len(set(navigation)) == len(pages)


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        text = path.read_text(encoding="utf-8")
        fetched = re.findall(r"<(?:script|img|iframe|source|video|audio)[^>]*\ssrc=\"?(https?:|//)[^>]*>", text)
        fetched += re.findall(r"<link[^>]*\shref=\"?(https?:|//)[^>]*>", text) + re.findall(
            r"url\(['\"]?(https?:|//)", text
        )
        assert not fetched, path


def test_formulas_are_mathml(site: Path) -> None:
    method, proof = text_of(site, "method.html"), text_of(site, "lowering.html")
    assert method.count('<math xmlns="http://www.w3.org/1998/Math/MathML" display="block">') >= 3
    assert "<mfrac>" in method and proof.count("<math") > 30
    for page in (method, proof):
        assert "arithmatex" not in page and "\\frac" not in page


def test_the_reference_describes_and_links(site: Path) -> None:
    page = text_of(site, "api.html")
    for name in (
        "snnc.compile",
        "snnc.Program.latency",
        "snnc.models.resnet20",
        "snnc.compiler.conversion.solver.solve",
    ):
        assert f'id="{name}"' in page, name
    assert ":func:" not in page and ":class:" not in page
    assert '<a href="#snnc.compile"><code>compile</code></a>' in page


def test_options_are_shown_as_python_has_them(site: Path) -> None:
    page = re.sub(r"<[^>]+>", "", text_of(site, "api.html"))
    called = page.partition("finetune(\n")[2].partition("->")[0]
    assert "epochs: int = 50," in called and "mean: float | Sequence" in called and "call:" not in called
    options = page.partition("FinetuneOptions(\n")[2].partition("\n)")[0]
    assert "epochs: int = 50," in options and "option(" not in page


def test_links_of_the_front_page_lead_into_the_site(site: Path) -> None:
    page = text_of(site, "index.html")
    assert 'href="method.html"' in page and 'src="pipeline.svg"' in page
    assert "docs/" not in re.sub(r"<code>.*?</code>", "", page.partition("<article")[2].partition("</article")[0])
    assert "<code>snnc/program/targets/chips/loihi1.py</code>" in text_of(site, "chip-fit.html")


def test_a_dead_link_fails(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    configuration = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        (tmp_path / name).write_text("# Page\n", encoding="utf-8")
    (docs / "page.md").write_text("# Page\n\n[one](index.md) and [another](nowhere.md)\n", encoding="utf-8")
    hooks = [str(ROOT / hook) for hook in configuration["hooks"]]
    pages = ["index.md", "page.md", "changelog.md", "contributing.md"]
    form = {**configuration, "hooks": hooks, "nav": pages, "plugins": ["search"], "extra_css": []}
    (tmp_path / "mkdocs.yml").write_text(yaml.dump(form), encoding="utf-8")
    found = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert found.returncode != 0 and "nowhere.md" in found.stderr
    assert "'index.md'" not in found.stderr
