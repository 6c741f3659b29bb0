"""A compilation as one HTML page that needs nothing else."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from snnc.compiler.placement import RULES, place
from snnc.compiler.program import Program
from snnc.compiler.targets import get_target
from snnc.runtime.energy import OperationCounts, estimate_energy
from snnc.runtime.report import wording
from snnc.runtime.report.placement_table import placement_sentence
from snnc.runtime.report.program_form import resources
from snnc.runtime.report.program_table import fits
from snnc.whole_file import write_whole

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2430; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top; }
th { border-bottom: 2px solid #1c2430; font-weight: 600; } td { border-bottom: 1px solid #d8dde5; }
.number { text-align: right; } .quiet { color: #5c6675; } code { font-size: .9em; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) {
  body { background: #14181f; color: #dfe4ec; } th { border-color: #dfe4ec; } td { border-color: #333b47; }
  .quiet { color: #98a2b3; }
}
"""


@dataclass(frozen=True)
class PassRow:
    """A pass of the compiler.

    Attributes:
        name: Its name.
        seconds: How long it took.
        stats: Its figures, by name.
    """

    name: str
    seconds: float
    stats: Mapping[str, int | float | str]


@dataclass(frozen=True)
class _Cell:
    """Text of a table's cell; numbers are set to the right."""

    text: str
    number: bool = False


def write_page(
    path: str | Path, program: Program, *, title: str, passes: Sequence[PassRow], counts: OperationCounts | None
) -> None:
    """Writes the page: whole, or not at all.

    Args:
        path: The file; one that exists is replaced.
        program: The program.
        title: What was compiled.
        passes: What the compiler did, in order.
        counts: Operations on the calibration data; None where they were not run.

    Raises:
        OutputError: The file cannot be written.
    """
    write_whole(path, page(program, title=title, passes=passes, counts=counts).encode())


def page(program: Program, *, title: str, passes: Sequence[PassRow], counts: OperationCounts | None) -> str:
    """The page's HTML; arguments as for :func:`write_page`."""
    name = html.escape(title)
    sections = [
        f"<h1>{name}</h1>",
        f'<p class="quiet">compiled by snnc {html.escape(program.provenance.snnc)} for {program.target}, '
        f"{wording.timing(program)}, input {wording.shape(program.coding.shape)} ({program.coding.kind})</p>",
        *_notes(program),
        "<h2>Layers</h2>",
        _layers(program, counts),
        _limit(program),
        "<h2>Chip</h2>",
        _resources(program),
        "<h2>Energy per sample</h2>",
        *_energy(program, counts),
        "<h2>Passes</h2>",
        _passes(passes),
        "<h2>Provenance</h2>",
        _provenance(program),
    ]
    body = "\n".join(sections)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[_Cell]]) -> str:
    """A table; a column is set to the right if its first cell holds a number."""
    content = [list(row) for row in rows]
    numbers = [cell.number for cell in content[0]] if content else [False] * len(titles)
    head = "".join(_cell("th", _Cell(title, number)) for title, number in zip(titles, numbers, strict=True))
    lines = ["".join(_cell("td", cell) for cell in row) for row in content]
    return "<table>\n" + "\n".join(f"<tr>{line}</tr>" for line in (head, *lines)) + "\n</table>"


def _cell(tag: str, cell: _Cell) -> str:
    kind = ' class="number"' if cell.number else ""
    return f"<{tag}{kind}>{html.escape(cell.text)}</{tag}>"


def _number(text: str) -> _Cell:
    return _Cell(text, number=True)


def _notes(program: Program) -> list[str]:
    notes = program.provenance.notes
    return ["<h2>Notes</h2>", "<ul>", *(f"<li>{html.escape(note)}</li>" for note in notes), "</ul>"] if notes else []


def _layers(program: Program, counts: OperationCounts | None) -> str:
    titles = ["layer", "modules", "shape", "neurons", "synapses", "θ", "v0", "Vth", "measured", "proven"]
    if counts:
        titles += ["spikes per sample", "synaptic operations per sample"]
    limit = get_target(program.target).membrane_limit
    rows = []
    for index, layer in enumerate(program.layers):
        spiking = layer.threshold is not None
        proven = wording.span(layer.membrane.proven)
        row = [
            _Cell(wording.layer(layer)),
            _Cell(", ".join(layer.modules)),
            _Cell(wording.shape(layer.shape)),
            _number(f"{layer.neurons:,}"),
            _Cell(wording.synapses(program, index)),
            _number(f"{layer.threshold.value:,}" if layer.threshold else "-"),
            _number(f"{layer.initial_potential:,}" if spiking else "-"),
            _number(wording.scales(layer.scale) if spiking else "-"),
            _number(wording.span(layer.membrane.measured)),
            _number(proven if fits(layer.membrane.proven, limit) else f"{proven} (over)"),
        ]
        if counts:
            row.append(_number(wording.whole(counts.spikes[index] / counts.samples) if spiking else "-"))
            row.append(_number(wording.whole(counts.synaptic[index] / counts.samples)))
        rows.append(row)
    return _table(titles, rows)


def _limit(program: Program) -> str:
    limit = get_target(program.target).membrane_limit
    return (
        f'<p class="quiet">θ (threshold), v0 (initial potential) and the range of the membrane potential are in weight '
        f"units; at ±{limit:,} the potential would overflow. Vth is the activation that a spike in every step stands "
        f"for. Measured on {program.provenance.calibration_samples:,} calibration samples; proven for any input.</p>"
    )


def _resources(program: Program) -> str:
    found = resources(program)
    placement = place(program, get_target(program.target))
    rows = [
        [
            _Cell(wording.layer(program.layers[placed.index])),
            _number("-" if placed.broken else f"{placed.cores:,}"),
            *(_number(f"{int(rule.used(placed.demand).max()):,}") for rule in RULES),
        ]
        for placed in placement.layers
    ]
    limits = (f"{rule.name} {rule.available(placement.target) or 'not published'}" for rule in RULES)
    return (
        f"<p>{found['neurons']:,} neurons, {found['synapses']:,} synapses, {found['weights']:,} stored weights; "
        f"{placement_sentence(placement)}.</p>\n"
        f'<p class="quiet">The most that one core of a layer uses; limits: {", ".join(limits)}.</p>\n'
        + _table(["layer", "cores", *(rule.name for rule in RULES)], rows)
    )


def _energy(program: Program, counts: OperationCounts | None) -> list[str]:
    macs = sum(layer.macs for layer in program.ann)
    estimates = estimate_energy(program, counts)
    basis = f"on {counts.samples:,} calibration samples" if counts else "the spiking network was not run"
    rows = [
        [_Cell(each.model.name), _number(wording.joules(each.snn)), _number(wording.joules(each.ann)),
         _Cell(each.model.source)]
        for each in estimates
    ]  # fmt: skip
    return [
        f'<p class="quiet">Estimates from published figures, not measurements; {basis}. '
        f"The ANN takes {macs:,} multiply-accumulates.</p>",
        _table(["model", "SNN", "ANN", "source"], rows),
    ]


def _passes(passes: Sequence[PassRow]) -> str:
    return _table(
        ["pass", "seconds", "figures"],
        [
            [
                _Cell(each.name),
                _number(f"{each.seconds:.3f}"),
                _Cell(wording.figures(each.stats)),
            ]
            for each in passes
        ],
    )


def _provenance(program: Program) -> str:
    provenance = program.provenance
    entries = {
        "snnc": provenance.snnc,
        "model (SHA-256)": provenance.model,
        "calibration data (SHA-256)": provenance.calibration,
        "calibration samples": str(provenance.calibration_samples),
        **{f"option {name}": value for name, value in provenance.options.items()},
    }
    lines = (
        f"<tr><td>{html.escape(name)}</td><td><code>{html.escape(value)}</code></td></tr>"
        for name, value in entries.items()
    )
    return "<table>\n" + "\n".join(lines) + "\n</table>"
