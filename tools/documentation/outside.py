"""A hook of MkDocs: pages that lie outside of docs/, and links to them.

On a code host, README, CHANGELOG and CONTRIBUTING lie at the top, and links go from file to file. In the site they are
pages like the others, and a link to any other file of the repository becomes the file's path.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# Pages of the site that are files elsewhere in the repository.
PAGES = {"index.md": "README.md", "changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}
_LINK = re.compile(r"(?P<picture>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")
_ELSEWHERE = re.compile(r"[a-z]+:", re.IGNORECASE)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages from outside."""
    root = Path(config.config_file_path).parent
    for name, source in PAGES.items():
        files.append(File.generated(config, name, content=(root / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Mends the links of a page that lead out of docs/, or from outside into it."""
    uri = page.file.src_uri
    path = PAGES.get(uri, f"docs/{uri}")
    root = Path(config.config_file_path).parent

    def mended(found: re.Match[str]) -> str:
        target = found["target"]
        if _ELSEWHERE.match(target):
            return found[0]
        place = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        inside = next((name for name, source in PAGES.items() if source == place), None)
        if inside is None and place.startswith("docs/"):
            inside = place.removeprefix("docs/")
        if inside is not None:
            link = posixpath.relpath(inside, posixpath.dirname(uri) or ".")
            return f"{found['picture']}[{found['text']}]({link}{found['anchor'] or ''})"
        if (root / place).exists():
            named = f"`{place}`"
            return named if found["text"].strip("`") in place else f"{found['text']} ({named})"
        return found[0]

    return _LINK.sub(mended, markdown)
