"""Started by against_spikingjelly.py in an environment that has SpikingJelly: converts a network, runs it when told.

python spikingjelly_child.py FILE T THREADS

The network is converted and run as SpikingJelly's own example does it (ann2snn/examples/resnet18_cifar10.py): rate
coding, one threshold for each layer, convolution and batch normalisation fused, one step after the other.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from importlib.metadata import version

import torch
from spikingjelly.activation_based import ann2snn, functional


def main() -> None:
    file, timesteps, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    content = torch.load(file, weights_only=False)
    inputs = content["inputs"]
    data = [(inputs, torch.zeros(len(inputs)))]
    # What it tells on the way must not get between the answers.
    with contextlib.redirect_stdout(sys.stderr):
        converter = ann2snn.Converter(recipe=ann2snn.RateCodingRecipe(dataloader=data, mode="99.9%"))
        network = converter.convert(content["module"].eval()).eval()
    versions = {"spikingjelly_version": version("spikingjelly"), "spikingjelly_torch": torch.__version__}
    print(json.dumps(versions), flush=True)
    for _ in sys.stdin:
        wall, processor = time.perf_counter(), time.process_time()
        with torch.no_grad():
            functional.reset_net(network)
            total = network(inputs)
            for _step in range(1, timesteps):
                total = total + network(inputs)
        seconds = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
