"""A hook of MkDocs: formulas become MathML when the site is built, so that browsers show them without any script."""

from __future__ import annotations

import re
from html import unescape

from latex2mathml.converter import convert

# What pymdownx.arithmatex makes of $...$ and $$...$$.
_FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\s*\\(?P<kind>[(\[])(?P<latex>.*?)\\[)\]]\s*</(?P=tag)>', re.DOTALL
)


def on_page_content(html: str, **_others: object) -> str:
    """Put MathML in the place of LaTeX."""
    return _FORMULA.sub(_mathml, html)


def _mathml(found: re.Match[str]) -> str:
    latex = unescape(found["latex"]).strip()
    return convert(latex, display="inline" if found["kind"] == "(" else "block")
