"""A report as one HTML page that needs nothing else."""

from __future__ import annotations

from dataclasses import asdict
from functools import singledispatch
from importlib.resources import files
from pathlib import Path
from typing import Any

from snnc.analysis.conversion import ConversionReport, Report, SigmaDeltaReport
from snnc.common.atomic_write import write_whole
from snnc.common.progress import Progress, Unheard
from snnc.reporting.page.reproduce import Sources, versions
from snnc.reporting.page.sections import (
    Sections,
    chip_section,
    energy_section,
    network_section,
    notes_of,
    passes_section,
    reproduce_section,
)
from snnc.reporting.page.sigma_delta import SigmaDeltaSections
from snnc.reporting.page.spiking import SpikingSections
from snnc.reporting.page.summary import subtitle, tiles, verdict

# What is on a page, and what the line at its top calls it; the kind of neurons names the section on steps.
SECTIONS = {
    "findings": "What stands out",
    "network": "Network",
    "passes": "After every pass",
    "steps": "",
    "layers": "Layers",
    "energy": "Energy",
    "chip": "Chip",
    "reproduce": "Reproduce",
}


@singledispatch
def own_sections(report: ConversionReport) -> Sections[Any]:
    """Return the sections that depend on the kind of neurons."""
    raise NotImplementedError(type(report).__name__)


own_sections.register(Report, SpikingSections)
own_sections.register(SigmaDeltaReport, SigmaDeltaSections)


def write_report(
    path: str | Path,
    report: ConversionReport,
    sources: Sources,
    *,
    title: str,
    progress: Progress = Unheard(),
) -> None:
    """Write a report: whole, or not at all.

    Args:
        path: The file; one that exists is replaced.
        report: What was measured.
        sources: What the network was made from, for the commands that make it again.
        title: What the page is called.
        progress: Told how many layers are drawn.

    Raises:
        OutputError: The file cannot be written.
    """
    write_whole(path, page(report, sources, title=title, name=str(path), progress=progress).encode())


def page(
    report: ConversionReport,
    sources: Sources,
    *,
    title: str,
    name: str,
    progress: Progress = Unheard(),
) -> str:
    """Return the page's HTML; ``name`` is that of its file, other arguments are as for :func:`write_report`."""
    # Imported late: only who writes a page needs it.
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = files("snnc.reporting.page")
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string((folder / "page.html.jinja").read_text(encoding="utf-8"))
    own = own_sections(report)
    return template.render(
        title=title,
        style=Markup((folder / "style.css").read_text(encoding="utf-8")),
        versions=versions(),
        sections=[(anchor, name or own.against_steps) for anchor, name in SECTIONS.items()],
        subtitle=subtitle(report),
        verdict=verdict(report),
        tiles=tiles(report),
        findings=[asdict(each) for each in report.findings],
        notes=notes_of(report),
        network=network_section(report.program),
        passes=passes_section(own),
        steps=own.steps(),
        layers=own.layers(progress),
        energy=energy_section(report),
        chip=chip_section(report.program),
        reproduce=reproduce_section(report, sources, name),
    )
