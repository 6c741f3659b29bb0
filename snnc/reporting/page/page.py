"""A report as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.resources import files
from pathlib import Path

from snnc.common.atomic_write import write_whole
from snnc.reporting.conversion.collect import Report
from snnc.reporting.conversion.sigma_delta import SigmaDeltaReport
from snnc.reporting.page.reproduce import Sources, versions
from snnc.reporting.page.sections import (
    Section,
    chip_section,
    energy_section,
    layers_section,
    network_section,
    notes_of,
    passes_section,
    reproduce_section,
    steps_section,
)
from snnc.reporting.page.sigma_delta import (
    sigma_delta_layers_section,
    sigma_delta_network_section,
    sigma_delta_passes_section,
    sigma_delta_steps_section,
)
from snnc.reporting.page.summary import subtitle, tiles

# What is on a page, and what the line at its top calls it.
SECTIONS = (
    ("findings", "What stands out"),
    ("network", "Network"),
    ("passes", "After every pass"),
    ("steps", "Against T"),
    ("layers", "Layers"),
    ("energy", "Energy"),
    ("chip", "Chip"),
    ("reproduce", "Reproduce"),
)
SIGMA_DELTA_SECTIONS = tuple((anchor, "Steps" if anchor == "steps" else name) for anchor, name in SECTIONS)


def write_report(
    path: str | Path,
    report: Report | SigmaDeltaReport,
    sources: Sources,
    *,
    title: str,
    advance: Callable[[str, int, int], None] | None = None,
) -> None:
    """Writes a report: whole, or not at all.

    Args:
        path: The file; one that exists is replaced.
        report: What was measured.
        sources: What the network was made from, for the commands that make it again.
        title: What the page is called.
        advance: Told of the layers that are drawn.

    Raises:
        OutputError: The file cannot be written.
    """
    write_whole(path, page(report, sources, title=title, name=str(path), advance=advance).encode())


def page(
    report: Report | SigmaDeltaReport,
    sources: Sources,
    *,
    title: str,
    name: str,
    advance: Callable[[str, int, int], None] | None = None,
) -> str:
    """The page's HTML; ``name`` is that of its file, other arguments are as for :func:`write_report`."""
    # Imported late: only who writes a page needs it.
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    folder = files("snnc.reporting.page")
    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string((folder / "page.html.jinja").read_text(encoding="utf-8"))
    told = partial(advance, "drawing layers") if advance else (lambda _done, _total: None)
    return template.render(
        title=title,
        style=Markup((folder / "style.css").read_text(encoding="utf-8")),
        versions=versions(),
        sections=SECTIONS if isinstance(report, Report) else SIGMA_DELTA_SECTIONS,
        subtitle=subtitle(report),
        tiles=tiles(report),
        findings=[asdict(each) for each in report.findings],
        notes=notes_of(report),
        **_own_sections(report, told),
        energy=energy_section(report),
        chip=chip_section(report.program),
        reproduce=reproduce_section(report, sources, name),
    )


def _own_sections(report: Report | SigmaDeltaReport, told: Callable[[int, int], None]) -> dict[str, Section]:
    """The sections that depend on what neurons are."""
    if isinstance(report, SigmaDeltaReport):
        return {
            "network": sigma_delta_network_section(report.program),
            "passes": sigma_delta_passes_section(report),
            "steps": sigma_delta_steps_section(report.program),
            "layers": sigma_delta_layers_section(report),
        }
    return {
        "network": network_section(report.program),
        "passes": passes_section(report),
        "steps": steps_section(report),
        "layers": layers_section(report, told),
    }
