"""Taking a network to a laboratory that has a board and no snnc."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from snnc.api.neurons import spiking
from snnc.common.devices import chosen_device
from snnc.common.errors import OptionError
from snnc.inputs.data import Data, evaluation_data, input_levels
from snnc.program import CompiledNetwork
from snnc.runtime.backends import run_levels
from snnc.runtime.hardware.lab import write_bundle

BUNDLE_SAMPLES = 100
# What a packed tar archive may be called: a laboratory has to know what to unpack it with.
_SUFFIXES = (".tar.gz", ".tgz")


@dataclass(frozen=True)
class Bundle:
    """A bundle that was written.

    Attributes:
        path: The file.
        data: What the samples are, in a word.
        samples: Number of samples in it.
        spikes: Spikes that the simulator gives for them, of all layers.
        clipped: Share of input values outside what the calibration data spanned, which were clipped to it, 0..1.
    """

    path: Path
    data: str
    samples: int
    spikes: int
    clipped: float


def bundle(
    program: CompiledNetwork | str | Path,
    data: Data,
    path: str | Path,
    *,
    samples: int = BUNDLE_SAMPLES,
    device: str = "cpu",
    memory: int | None = None,
    progress: Callable[[str, int], None] | None = None,
    advance: Callable[[int], None] | None = None,
) -> Bundle:
    """Packs a network, samples and the spikes that the simulator gives for them, with a script that needs only Lava.

    Equal input gives equal bytes. docs/lab.md says what is in the archive and what the script does.

    Args:
        program: The program, or its .net file.
        data: As for :func:`snnc.run`; with labels the laboratory's accuracy is compared too.
        path: The archive to write, a .tar.gz file; one that exists is replaced, and nothing is ever half-written.
        samples: Pack the first so many, at least 1.
        device: Where the simulator computes, as for :func:`snnc.run`.
        memory: Bytes that it may take, as for :func:`snnc.run`.
        progress: Told of each step as it begins: its title, and how many things it has to do.
        advance: Told how many samples are done.

    Returns:
        What was packed.

    Raises:
        OptionError: The program is of sigma-delta neurons, or the archive would have another suffix.
        BackendError: A membrane potential overflows on the samples, or a delay is longer than a synapse can hold.
        OutputError: The file cannot be written.
        SnncError: Anything else that the user can mend.
    """
    begin = progress or (lambda _title, _count: None)
    begin("reading the data", 1)
    network = spiking(program, "snnc bundle", "lava-dl runs its .net file with nothing else (docs/sdnn.md)")
    if not Path(path).name.endswith(_SUFFIXES):
        raise OptionError("is no name of a packed tar archive", where=str(path), expected=" or ".join(_SUFFIXES))
    dataset = evaluation_data(data, samples)
    levels = input_levels(network, dataset)
    begin("running on sim", len(dataset))
    expected = run_levels(
        network, levels.values, "sim", record=True, device=chosen_device(device), memory=memory, advance=advance
    )
    begin("packing", 1)
    write_bundle(network, levels.values, expected, path, data=dataset.name, labels=dataset.labels)
    spikes = sum(int(counts.sum()) for counts in expected.spike_counts)
    return Bundle(Path(path), dataset.name, len(dataset), spikes, levels.clipped)
