"""What the page has of sigma-delta networks alone: why there is no T, and each layer's error with its bound."""

from __future__ import annotations

from snnc.analysis.conversion import SigmaDeltaReport
from snnc.common.progress import Progress
from snnc.reporting.page.figures import bounds_figure, image
from snnc.reporting.page.sections import Section, Sections
from snnc.reporting.report import bounds_table


class SigmaDeltaSections(Sections[SigmaDeltaReport]):
    """The sections of a sigma-delta network."""

    against_steps = "Steps"

    @property
    def exact_passes(self) -> str:
        """That all but quantisation is exact, and what that costs."""
        return (
            ". Passes up to quantisation are exact (but for maximum pooling that is written as an average). "
            "There are no thresholds to assign: nothing is clipped or turned into rates, and what "
            "quantisation costs is the rounding of weights, biases and messages."
        )

    @property
    def replayed_passes(self) -> str:
        """The passes up to quantisation."""
        return "The passes up to quantisation were run again from the model; the last row is the .net file."

    def steps(self) -> Section:
        """Return why there is no T to compare."""
        return {
            "title": "Steps",
            "sentence": f"Sigma-delta neurons have no T. A sample takes {self.report.program.timesteps:,} steps, one "
            "for each layer and one for the input: then the changes have passed all layers, and more steps change "
            "nothing. With fewer the readout has seen nothing of the sample, so there is no accuracy against the "
            "number of steps.",
        }

    def layers(self, progress: Progress) -> Section:
        """Return each layer beside the ANN's, with its bound; one picture is drawn of all."""
        layers = self.report.layers
        missing = (
            ""
            if any(each.bound is not None for each in layers)
            else " No bound is shown: the model is not the one that was compiled, or its maximum pooling became "
            "average pooling, so that rounding is not all that separates the two."
        )
        return {
            "title": "Layers: activations of the ANN against sums of messages",
            "image": image(bounds_figure(layers), "errors of each layer, and how far rounding can take it"),
            "table": bounds_table(self.report),
            "legend": "correlation of activations and sums of messages; errors are absolute, in the ANN's units "
            "(readout: of the logits); bound: the largest error that rounding can make of any value of these samples, "
            "a worst case that grows with depth (docs/sdnn.md); out of bound: values whose error is larger than their "
            f"own bound; messages per neuron: for one sample, at most 1.{missing}",
        }
