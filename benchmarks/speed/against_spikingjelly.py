"""The simulator against SpikingJelly's converted network: the same weights, data and T, each in its own process."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from measure import Seconds, side_by_side, timed
from networks import Network
from torch import nn

from snnc.models import PaddedShortcut, ResidualBlock
from snnc.runtime.simulator import Simulator

# The first Pythons that its newest releases run on.
PYTHONS = ("python3.13", "python3.12", "python3.11")
# What the project asks for: so many times as fast at T = 32 on ResNet20.
SPEED = 3.0
CHILD = Path(__file__).with_name("spikingjelly_child.py")


def find_python(folder: Path) -> tuple[Path | None, str]:
    """A Python that has SpikingJelly, from an environment of its own below a folder, made where it is missing.

    Returns:
        The Python, or None; and in that case why there is none.
    """
    python = folder / "bin" / "python"
    if python.exists() and _has_spikingjelly(python):
        return python, ""
    base = next((found for name in PYTHONS if (found := _usable(name))), None)
    if base is None:
        return None, f"none of {', '.join(PYTHONS)} was found"
    try:
        subprocess.run([base, "-m", "venv", str(folder)], check=True, capture_output=True, text=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "spikingjelly>=2"], check=True, capture_output=True)
    except (subprocess.CalledProcessError, OSError) as error:
        return None, f"it could not be installed ({error})"
    return (python, "") if _has_spikingjelly(python) else (None, "it was installed but cannot be imported")


def _usable(name: str) -> str | None:
    """The path of a Python that runs: a pyenv shim may stand for a version that is not chosen."""
    shims = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [shutil.which(name), *map(str, sorted(shims.glob(f"{name[6:]}*/bin/{name}")))]
    for path in filter(None, candidates):
        if subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0:
            return path
    return None


def _has_spikingjelly(python: Path) -> bool:
    command = [str(python), "-c", "from spikingjelly.activation_based import ann2snn"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def compare(network: Network, timesteps: int, batch: int, repeats: int, python: Path) -> dict[str, object]:
    """One row: SpikingJelly's time divided by the simulator's, and both by T times the ANN's."""
    images = network.batch(batch)
    inputs = network.as_input(images)
    program = network.program(timesteps)
    simulator, levels = Simulator(program), program.coding.levels(images)

    def forward() -> None:
        with torch.no_grad():
            network.module(inputs)

    with _child(network, inputs, timesteps, python) as (other, versions):
        contestants = {"ann": timed(forward), "sim": timed(lambda: simulator.run(levels)), "spikingjelly": other}
        timings = side_by_side(contestants, "sim", repeats)
    return {
        "network": network.name,
        "timesteps": timesteps,
        "batch": batch,
        **versions,
        **{name: timing.form for name, timing in timings.items()},
        "times_as_fast": timings["spikingjelly"].ratio,
        "times_as_fast_processor": timings["spikingjelly"].processor_ratio,
    }


def _in_modules(network: nn.Module) -> nn.Module:
    """A copy whose shortcuts are convolutions with weights of 0 and 1: SpikingJelly refuses slices and padding."""
    network = copy.deepcopy(network)
    blocks = [part for part in network.modules() if isinstance(part, ResidualBlock)]
    for block in blocks:
        for name, part in list(block.named_children()):
            if isinstance(part, PaddedShortcut):
                setattr(block, name, _as_convolution(part, block.conv1.in_channels))
    return network.eval()


def _as_convolution(shortcut: PaddedShortcut, inputs: int) -> nn.Conv2d:
    # The shortcut is linear and works pixel by pixel: what it makes of each channel alone is a column of the kernel.
    kernel = shortcut(torch.eye(inputs)[:, :, None, None])[:, :, 0, 0].T
    convolution = nn.Conv2d(inputs, len(kernel), 1, stride=shortcut.stride, bias=False)
    convolution.weight.data = kernel[:, :, None, None].clone()
    return convolution


@contextmanager
def _child(
    network: Network, inputs: torch.Tensor, timesteps: int, python: Path
) -> Iterator[tuple[Callable[[], Seconds], dict[str, str]]]:
    """A process that converts the network once and runs it whenever it is told to."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.pt"
        # Traced, so that the other side needs nothing of snnc.
        module = torch.fx.symbolic_trace(_in_modules(network.module))
        torch.save({"module": module, "inputs": inputs}, file)
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        process = subprocess.Popen(
            [str(python), str(CHILD), str(file), str(timesteps), str(torch.get_num_threads())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            text=True,
            env=environment,
        )
        assert process.stdin is not None and process.stdout is not None
        answers, questions = process.stdout, process.stdin

        def told() -> dict[str, str]:
            line = answers.readline()
            if not line:
                raise RuntimeError("SpikingJelly's process ended before it answered")
            found: dict[str, str] = json.loads(line)
            return found

        def run() -> Seconds:
            questions.write("run\n")
            questions.flush()
            found = told()
            return float(found["wall"]), float(found["processor"])

        try:
            yield run, told()
        finally:
            questions.close()
            process.wait()
