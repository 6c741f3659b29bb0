"""The files that fuzzing found to matter, which every test run reads again."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "data" / "fuzz"
# Of one kind's archive; there are eight.
BYTES_MAXIMUM = 36_000


def corpus(target: str) -> dict[str, bytes]:
    """The kept files of one kind, by name; none where there is no archive yet."""
    path = FOLDER / f"{target}.zip"
    if not path.exists():
        return {}
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def keep(target: str, found: list[bytes], always: dict[str, bytes]) -> int:
    """Writes an archive anew.

    Args:
        target: The kind of file.
        found: Files that reach something new; the smallest are kept, as many as fit.
        always: Files that stay, by name: each showed a bug once.

    Returns:
        How many files it holds.
    """
    members = dict(always)
    packed = _archive(members)
    for content in sorted(found, key=lambda each: (len(each), each)):
        more = {**members, hashlib.sha256(content).hexdigest()[:12]: content}
        archive = _archive(more)
        if len(archive) > BYTES_MAXIMUM:
            break
        members, packed = more, archive
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{target}.zip").write_bytes(packed)
    return len(members)


def _archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            # A time of its own would make equal archives differ.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), members[name], zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
