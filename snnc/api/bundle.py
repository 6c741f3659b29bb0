"""Taking a network to a laboratory that has a board and no snnc."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from snnc.common.atomic_write import check_not_replaced
from snnc.common.devices import chosen_device
from snnc.common.errors import OptionError
from snnc.common.progress import Progress, Told, progress_of
from snnc.common.signatures import called_with
from snnc.inputs.data import Data, evaluation_data, input_levels, spiking
from snnc.models.data.load import files_read
from snnc.program import CompiledNetwork
from snnc.runtime.backends import run_levels
from snnc.runtime.hardware.lab import write_bundle
from snnc.runtime.options import BundleOptions, RunOptions

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


@dataclass(frozen=True)
class _BundleCall(BundleOptions):
    program: CompiledNetwork | str | Path
    data: Data
    path: str | Path
    _: KW_ONLY
    options: BundleOptions | None = None
    progress: Progress | Told | None = None


@called_with(_BundleCall)
def bundle(call: _BundleCall) -> Bundle:
    """Pack a network, samples and the spikes that the simulator gives for them, with a script that needs only Lava.

    Equal input gives equal bytes. docs/lab.md says what is in the archive and what the script does.

    Args:
        program: The program, or its .net file.
        data: As for :func:`snnc.run`; with labels the laboratory's accuracy is compared too.
        path: The archive to write, a .tar.gz file; one that exists is replaced, and nothing is ever half-written.
        options: All options at once; those that are given singly count more.
        progress: Told of each step as it begins, and how many samples are done.

    Returns:
        What was packed.

    Raises:
        OptionError: The program is of sigma-delta neurons, or the archive would have another suffix.
        BackendError: A membrane potential overflows on the samples, or a delay is longer than a synapse can hold.
        OutputError: The file cannot be written, or is one of those that are read.
        SnncError: Anything else that the user can mend.
    """
    told = progress_of(call.progress)
    check_not_replaced(Path(call.path), files_read(call.program, data=[call.data]))
    told.begin("reading the data")
    network = spiking(call.program, "snnc bundle", "lava-dl runs its .net file with nothing else (docs/sdnn.md)")
    if not Path(call.path).name.endswith(_SUFFIXES):
        raise OptionError("is no name of a packed tar archive", where=str(call.path), expected=" or ".join(_SUFFIXES))
    dataset = evaluation_data(call.data, call.samples)
    levels = input_levels(network, dataset)
    told.begin("running on sim", len(dataset))
    simulated = RunOptions(record=True, memory=call.memory)
    expected = run_levels(network, levels.values, simulated, device=chosen_device(call.device), progress=told)
    told.begin("packing")
    write_bundle(network, levels.values, expected, call.path, data=dataset.name, labels=dataset.labels)
    spikes = sum(int(counts.sum()) for counts in expected.spike_counts)
    return Bundle(Path(call.path), dataset.name, len(dataset), spikes, levels.clipped)
