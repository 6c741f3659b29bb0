"""Changes to the records of a zip archive, whose checksums then fit again."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable


def change_zip(content: bytes, draw: random.Random, change: Callable[[bytes], bytes]) -> bytes:
    """A record is changed, and now and then left out, doubled, packed or renamed.

    Args:
        content: An archive.
        draw: Draws what is done.
        change: Changes the bytes of a record.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        records = [(info.filename, archive.read(info)) for info in archive.infolist()]
    chosen = draw.randrange(len(records))
    # Values are the longest records and the dullest.
    pickles = [index for index, (name, _) in enumerate(records) if name.endswith((".pkl", ".json", ".pt"))]
    if pickles and draw.random() < 0.8:
        chosen = draw.choice(pickles)
    name, record = records[chosen]
    kind = draw.randrange(10)
    if kind == 0:
        del records[chosen]
    elif kind == 1:
        records.append((draw.choice((name, name + "x", "../" + name)), record))
    elif kind == 2:
        records[chosen] = (name, record + bytes(1 << 20))
    else:
        records[chosen] = (name, change(record))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if kind == 2 else zipfile.ZIP_STORED) as archive:
        for each, stored in records:
            archive.writestr(each, stored)
    return buffer.getvalue()
