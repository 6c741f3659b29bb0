"""A hook of MkDocs: names that docstrings refer to, as :func:`snnc.run`, become links where the page has them."""

from __future__ import annotations

import re

_REFERENCE = re.compile(r":(?:attr|class|func|meth|mod):<code>~?(?P<name>[\w.]+)</code>")


def on_page_content(html: str, **_others: object) -> str:
    """Put links, or plain names, in the place of references."""

    def linked(found: re.Match[str]) -> str:
        name = found["name"]
        # What is named without its package is looked for in ours.
        place = next((each for each in (name, f"snnc.{name}") if f'id="{each}"' in html), None)
        return f'<a href="#{place}"><code>{name}</code></a>' if place else f"<code>{name}</code>"

    return _REFERENCE.sub(linked, html)
