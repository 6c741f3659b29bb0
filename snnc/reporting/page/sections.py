"""The sections of a report: what the page's template is given, and what each kind of neurons has of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from snnc.analysis.conversion import ConversionReport, energy_of_layers
from snnc.common.progress import Progress
from snnc.program import CompiledNetwork
from snnc.program.placement import place
from snnc.program.targets import get_target
from snnc.reporting import report as tables
from snnc.reporting import wording
from snnc.reporting.page.figures import energy_figure, image, network_figures
from snnc.reporting.page.reproduce import Sources, commands, versions
from snnc.reporting.placement import placement_legend, placement_sentence, placement_table
from snnc.reporting.placement_picture import placement_figure
from snnc.reporting.program import program_table, resources_sentence, view
from snnc.reporting.table import Table, column
from snnc.runtime.energy import ENERGY_MODELS, QIAO2015

R = TypeVar("R", bound=ConversionReport)
Section = dict[str, Any]


class Sections(ABC, Generic[R]):
    """The sections that depend on the kind of neurons.

    Args:
        report: What was measured.

    Attributes:
        against_steps: What the line at the top of the page calls the section on steps.
    """

    against_steps: str

    def __init__(self, report: R) -> None:
        self.report = report

    @property
    @abstractmethod
    def exact_passes(self) -> str:
        """Which passes change nothing, and what those after them do."""

    @property
    @abstractmethod
    def replayed_passes(self) -> str:
        """What was run again where the passes of the compilation are not known."""

    @abstractmethod
    def steps(self) -> Section:
        """Return the section on the number of steps."""

    @abstractmethod
    def layers(self, progress: Progress) -> Section:
        """Return the section with each layer beside the ANN's.

        Args:
            progress: Told how many layers are drawn.
        """


def notes_of(report: ConversionReport) -> tuple[str, ...]:
    """Return what the user should know besides, of the compilation and of what was measured."""
    notes = [*report.program.provenance.notes, *report.notes, *wording.clipping_notes(report.clipped)]
    if report.shared:
        notes.append(
            f"{report.shared:,} of the {report.samples:,} samples measured on are among those that the network was "
            "calibrated on, so that it may do worse on others"
        )
    return tuple(notes)


def network_section(program: CompiledNetwork) -> Section:
    """Return the network as pictures, several of a long one, and as a table."""
    figures = network_figures(program)
    names = ["the network, layer by layer, from the input down"] + ["the network, continued"] * (len(figures) - 1)
    return {
        "sentence": f"{resources_sentence(program)}.",
        "images": [image(figure, name, format="svg") for figure, name in zip(figures, names, strict=True)],
        "table": program_table(program, absolute=True),
        "legend": view(program).page_legend,
    }


def passes_section(own: Sections[Any]) -> Section:
    """Return the network after every pass."""
    report = own.report
    legend = "points: what the pass adds or costs. "
    legend += own.replayed_passes if report.replayed else "seconds: what the pass took to compile."
    if not report.labelled and report.task != "values":
        legend += " The data have no labels."
    return {
        "title": judged_by(report),
        "sentence": f"The network as each pass leaves it, on the same {report.samples:,} samples{own.exact_passes}",
        "table": tables.passes_table(report),
        "legend": legend,
    }


def judged_by(report: ConversionReport) -> str:
    """Return what networks are judged by, as titles have it."""
    if report.task == "values":
        return "R squared to the ANN"
    return "Accuracy" if report.labelled else "Agreement with the ANN"


def energy_section(report: ConversionReport) -> Section:
    """Return what was sent, synaptic operations and energy by layer."""
    program = report.program
    convention = view(program).energy_convention
    return {
        "title": f"{program.wording.sent.capitalize()}, synaptic operations and energy",
        "sentence": f"For one sample, mean of {report.samples:,}. Energies are estimates from published figures, not "
        "measurements; what folding moved to another layer counts where its module went."
        + (f" {convention}" if convention else ""),
        "image": image(
            energy_figure(energy_of_layers(program, report.counts), QIAO2015.name),
            "energy of SNN and ANN for each layer",
            format="svg",
        ),
        "table": tables.energy_table(report),
        "sources": [(model.name, model.source) for model in ENERGY_MODELS],
    }


def chip_section(program: CompiledNetwork) -> Section:
    """Return which cores the network takes."""
    placement = place(program, get_target(program.target))
    return {
        "sentence": f"{placement.target.description}: {placement_sentence(placement)}.",
        "errors": list(map(str, placement.errors())),
        "image": image(
            placement_figure(placement), "the chip's cores, with the layer that each holds and how full it is"
        ),
        "table": placement_table(placement),
        "legend": f"{placement_legend(placement)}.",
    }


def reproduce_section(report: ConversionReport, sources: Sources, name: str) -> Section:
    """Return the commands, and where the network came from."""
    unknown = (
        "DATA stands for the calibration data, which a .net file does not name. " if not sources.calibration else ""
    )
    return {
        "commands": commands(report.program, sources, name),
        "sentence": f"{unknown}The same model, data and options give the same .net file, byte for byte, with the same "
        "version of snnc.",
        "table": provenance_table(report.program, versions()),
    }


def provenance_table(program: CompiledNetwork, versions: dict[str, str]) -> Table[tuple[str, str]]:
    """Return where the network came from.

    Args:
        program: The program.
        versions: What the report is made with, by name.
    """
    provenance = program.provenance
    entries = {
        "compiled by": f"snnc {provenance.snnc}",
        "reported with": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "model (SHA-256)": provenance.model,
        "calibration data (SHA-256)": provenance.calibration,
        "calibration samples": f"{provenance.calibration_samples:,}",
        "options": ", ".join(f"{name} {value or 'none'}" for name, value in provenance.option_texts.items()),
    }
    return Table((column(lambda row: row[0], page=""), column(lambda row: row[1], page="")), tuple(entries.items()))
