"""Fuzzes each kind of file for its share of the time, and says what was found.

A process that ends too early (a crash of a C library, an exception, a hang, too much memory) leaves the file that
caused it in the folder ``found`` and is followed by another one.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from support.fuzzing.corpus import corpus, keep

# .net files come from the internet, and HDF5 is the largest of the parsers.
SHARES = {"net": 6, "netx": 3, "nir": 2, "torch": 3, "exported": 1, "onnx": 2, "safetensors": 1, "lab": 1}
SECONDS_FOR_ONE = 60
MEGABYTES_MAXIMUM = 6144
BYTES_MAXIMUM = 1 << 17
_COUNT = re.compile(r"stat::number_of_executed_units: (\d+)")
# A bug that comes up at once each time would start processes for ever.
_DEATHS_MAXIMUM = 20


def main() -> int:
    """Returns 1 where something was found."""
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--turns", type=int, default=6, help="how often each kind has its turn")
    parser.add_argument("--only", default=",".join(SHARES), help="kinds of files")
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="for what is found")
    parser.add_argument("--keep", action="store_true", help="write the smallest into tests/data/fuzz")
    options = parser.parse_args()
    kinds = options.only.split(",")
    total = sum(SHARES[each] for each in kinds)
    counts, findings = Counter[str](), Counter[str]()
    # In turns, so that each kind is reached early.
    for turn in range(options.turns):
        for kind in kinds:
            seconds = options.minutes * 60 * SHARES[kind] / total / options.turns
            count, found = _fuzz(kind, options.folder.resolve(), seconds, f"{kind}-{turn}")
            counts[kind] += count
            findings[kind] += found
            print(f"turn {turn + 1}: {kind}: {counts[kind]:,} files so far, {findings[kind]} found", flush=True)
    if options.keep:
        for kind in kinds:
            print(f"{kind}: {_keep(kind, options.folder.resolve())} files kept", flush=True)
    return int(findings.total() > 0)


def _fuzz(kind: str, folder: Path, seconds: float, name: str) -> tuple[int, int]:
    """Files that were read, and those of them that are findings."""
    from support.fuzzing.seeds import seeds

    files, found = folder / kind, folder / "found"
    for each in (files, found):
        each.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate([*seeds(kind), *corpus(kind).values()]):
        (files / f"seed{number}").write_bytes(content)
    count = deaths = 0
    end = time.monotonic() + seconds
    while (left := int(end - time.monotonic())) > 0 and deaths < _DEATHS_MAXIMUM:
        arguments = [
            str(files),
            f"-max_total_time={left}",
            f"-timeout={SECONDS_FOR_ONE}",
            f"-rss_limit_mb={MEGABYTES_MAXIMUM}",
            f"-max_len={BYTES_MAXIMUM}",
            f"-artifact_prefix={found}/{kind}-",
            "-print_final_stats=1",
        ]
        log = found / f"{name}.{deaths}.log"
        with log.open("wb") as output:
            process = subprocess.run(_worker(kind, *arguments), stdout=output, stderr=output, check=False)
        text = log.read_text(errors="replace")
        count += sum(int(each) for each in _COUNT.findall(text))
        if process.returncode == 0:
            log.unlink()
            break
        deaths += 1
    return count, deaths


def _keep(kind: str, folder: Path) -> int:
    """Of the files that reach something new those that are needed for it."""
    fewer = folder / f"{kind}-merged"
    fewer.mkdir(exist_ok=True)
    arguments = ["-merge=1", f"-max_len={BYTES_MAXIMUM}", str(fewer), str(folder / kind)]
    subprocess.run(_worker(kind, *arguments), check=True, capture_output=True)
    always = {name: content for name, content in corpus(kind).items() if name.startswith("bug")}
    return keep(kind, [each.read_bytes() for each in fewer.iterdir()], always)


def _worker(kind: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "support.fuzzing.worker", kind, *arguments]


if __name__ == "__main__":
    sys.exit(main())
