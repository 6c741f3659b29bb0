"""What the page has of spiking networks alone: accuracy against T, and each layer's activations beside its rates."""

from __future__ import annotations

from snnc.analysis.conversion import LayerEvidence, Report
from snnc.common.progress import Progress
from snnc.reporting import wording
from snnc.reporting.page.figures import Image, image, steps_figure
from snnc.reporting.page.layer_figures import activations_figure, firing_figure, scatter_figure
from snnc.reporting.page.sections import Section, Sections, judged_by
from snnc.reporting.report import evidence_table, steps_table

# Layers that are drawn, those with the largest errors: so a page stays small, however deep the network.
DRAWN = 60


class SpikingSections(Sections[Report]):
    """The sections of a spiking network."""

    against_steps = "Against T"

    @property
    def exact_passes(self) -> str:
        """Where accuracy is lost, and that the pass that assigns thresholds is taken apart."""
        title = judged_by(self.report)
        reference = title[0].lower() + title[1:] if self.report.task != "values" else title
        return (
            f": where {reference} falls, it is lost. Passes up to the thresholds are exact (but for maximum pooling "
            "that is written as an average); the thresholds' pass is taken apart, since that is where activations are "
            "first clipped, then rounded to T + 1 levels, then sent as spikes."
        )

    @property
    def replayed_passes(self) -> str:
        """The passes up to the thresholds."""
        return (
            "The passes up to the thresholds were run again from the model; thresholds are those of the .net file. "
            "What corrections on calibration data made of weights and biases shows in the last row."
        )

    def steps(self) -> Section:
        """Return the network after fewer steps."""
        report = self.report
        program = report.program
        how = (
            f"the same network shown each sample for fewer steps, its layers waiting {program.lead} at most"
            if program.lead
            else "the same run, stopped after fewer steps"
        )
        return {
            "title": f"{judged_by(report)} against T",
            "sentence": f"What the network says with fewer steps than T = {program.timesteps}: {how}. Compiled for "
            "that number of steps, with thresholds of its own, it usually does better. Spikes and synaptic operations "
            "are for one sample on average.",
            "image": image(steps_figure(report), f"{judged_by(report)} against the number of steps"),
            "table": steps_table(report),
        }

    def layers(self, progress: Progress) -> Section:
        """Return each layer beside the ANN's.

        Args:
            progress: Told how many layers are drawn.
        """
        report = self.report
        drawn = _drawn(report)
        pictures = []
        progress.begin("drawing layers", len(drawn))
        for done, evidence in enumerate(drawn):
            progress.advance(done)
            pictures.append(
                {"name": wording.layer(evidence.layer), "figures": _figures(evidence), "images": _images(evidence)}
            )
        missing = len(report.layers) - len(drawn)
        left_out = f"Drawn are the {len(drawn):,} layers with the largest errors; {missing:,} more are in the table."
        return {
            "title": "Layers: activations of the ANN against rates",
            "key": (
                ("clipped", "clipped above Vth"),
                ("rounded", "rounded to T + 1 levels"),
                ("received", "received, accumulated on the way"),
            ),
            "table": evidence_table(report),
            "legend": "correlation of activation and rate; error: sum of the distances of the rates from the ANN's "
            "activations, and its parts, in % of the sum of the activations. clipped: what activations exceed Vth "
            "by; rounded: to T + 1 levels; received: what accumulates on the way, from the layers before, from "
            "spikes that come unevenly and from integer weights (parts may cancel, so that their sum exceeds the "
            "error). shift: mean error. rate: spikes for each neuron and step. dead: % of the neurons that never "
            "fire; silent: of those that the ANN activates, % that never fire; always firing: % that fire in every "
            "step of every sample; saturated: % of neurons and samples with a spike in every step.",
            "captions": "Activations against rates: each point is a neuron on a sample, its activation in the ANN "
            "against its rate, both as shares of the threshold (spread a little up and down); the line is what the "
            "neuron gives for an input that comes evenly. Sorted activations: the positive ones in ascending order "
            "(blue), what the quantiser makes of them (orange), and between the two the error of clipping and "
            "rounding. Firing rates: how many neurons fire how often.",
            "pictures": pictures,
            "left_out": left_out if missing else "",
        }


def _drawn(report: Report) -> list[LayerEvidence]:
    worst = sorted(report.layers, key=lambda each: each.errors.total if each.errors else 0.0, reverse=True)[:DRAWN]
    return [each for each in report.layers if any(each is other for other in worst)]


def _figures(evidence: LayerEvidence) -> str:
    layer = evidence.layer
    figures = [wording.shape(layer.shape), f"Vth {wording.scales(layer.scale)}"]
    if evidence.errors is None:
        figures.append("no value of the ANN corresponds to it")
    else:
        figures.append(f"error {100 * evidence.errors.total:.1f} %")
    return ", ".join(figures)


def _images(evidence: LayerEvidence) -> list[Image]:
    found = []
    if evidence.scatter is not None:
        found.append(image(scatter_figure(evidence), "activations against rates"))
    if evidence.thresholds is not None:
        found.append(image(activations_figure(evidence), "sorted activations and the quantiser's steps"))
    return [*found, image(firing_figure(evidence), "firing rates of the neurons")]
