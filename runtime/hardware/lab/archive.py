"""An archive that depends on its content alone, and unpacks into one folder."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
from collections.abc import Mapping

FOLDER = "snnc-lab"
# Of gzip: the highest takes much longer and saves little.
LEVEL = 6


def to_archive(members: Mapping[str, bytes]) -> bytes:
    """A .tar.gz of plain files in one folder: no times, no owners, no links.

    Args:
        members: Their content by their path in the folder, the folders of which are written with ``/``.
    """
    assert all(re.fullmatch(r"(\w+/)*\w+\.\w+", name, re.ASCII) for name in members)
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=packed, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in members.items():
            member = tarfile.TarInfo(f"{FOLDER}/{name}")
            member.size, member.mode = len(content), 0o644
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
