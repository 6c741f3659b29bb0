"""Compiles the cases, and writes down digests of the files and of what runs of them give."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import digests
import numpy as np
from cases import CASES, Case
from files import SHAPES, SHARED, samples, write_models
from networks import NETWORKS, network, trained_digits
from torch import nn

import snnc

Entry = dict[str, str]
SKIPPED = "skipped"
RUN_SAMPLES, LAVA_SAMPLES, CALIBRATION_SAMPLES = 12, 2, 128


class Workshop:
    """The working folder, and what several cases share.

    Args:
        folder: The working folder, which is there and empty.
        shared: Where published weights and images lie, or None.
    """

    def __init__(self, folder: Path, shared: Path | None) -> None:
        self.folder, self.shared = folder, shared
        self.trained = trained_digits()
        write_models(folder, self.trained, shared)
        self._tuned: nn.Module | None = None

    @property
    def tuned(self) -> nn.Module:
        """The trained network after a short fine-tuning for T = 2."""
        if self._tuned is None:
            settings = snnc.FinetuneSettings(
                timesteps=2, epochs=1, batch_size=64, calibration_samples=128, train_thresholds=True, seed=0
            )
            made = snnc.finetune(self.trained, "digits", settings, device="cpu", threads=1)
            self._tuned = made.network
        return self._tuned

    def model(self, case: Case) -> tuple[Any, tuple[int, ...]]:
        """What is compiled, and the shape of its samples; the file may be missing."""
        if case.model == "trained":
            return self.trained, (1, 8, 8)
        if case.model == "tuned":
            return self.tuned, (1, 8, 8)
        if case.model.startswith("file:"):
            name = case.model.removeprefix("file:")
            return self.folder / name, SHAPES.get(name, (1, 8, 8))
        return network(case.model), NETWORKS[case.model][1]

    def data(self, case: Case, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """What a case is calibrated on, and what it is run on."""
        if case.data == "floats":
            both = [snnc.load_data("digits", split=split) for split in ("train", "test")]
            train, test = ((each.images * np.float32(each.unit), each.labels) for each in both)
            return train, test
        if case.data == "digits":
            return "digits", "digits"
        if shape == (3, 32, 32):
            with np.load(self.folder / "pictures.npz") as kept:
                return (kept["x"], kept["y"]), (kept["x"][::-1].copy(), kept["y"][::-1].copy())
        return samples(shape), samples(shape, RUN_SAMPLES, seed=11)


def made_nets(workshop: Workshop, names: Iterable[str], tell: Callable[[str], None]) -> dict[str, Entry]:
    """Compiles and runs cases.

    Args:
        workshop: Where to.
        names: Those of ``CASES``.
        tell: Told of each case as it begins.

    Returns:
        For each case its entry; for some more of what came of it: a graph of NIR, and the file that was read from it.
    """
    entries: dict[str, Entry] = {"weights/trained": {"content": digests.of_weights(workshop.trained)}}
    with np.load(workshop.folder / "pictures.npz") as kept:
        entries["data/pictures"] = {"content": digests.of_arrays(kept["x"], kept["y"])}
    for name in names:
        tell(f"net/{name}")
        case = CASES[name]
        if case.model == "tuned":
            entries["weights/tuned"] = {"content": digests.of_weights(workshop.tuned)}
        entries.update(_made(workshop, name, case))
    return entries


def _made(workshop: Workshop, name: str, case: Case) -> dict[str, Entry]:
    model, shape = workshop.model(case)
    if isinstance(model, Path) and not model.exists():
        return {f"net/{name}": {SKIPPED: "--shared is needed" if model.name in SHARED else "a package is missing"}}
    calibration, evaluation = workshop.data(case, shape)
    options = {"calibration_samples": CALIBRATION_SAMPLES, **case.options}
    path = workshop.folder / f"case-{name}.net"
    try:
        snnc.compile(model, calibration, **options).save(path)
        found = {f"net/{name}": {**_digests(path), "run": _run(path, evaluation)}}
    except Exception as error:  # noqa: BLE001 - one case that fails is a difference, not the end of the list
        return {f"net/{name}": {"error": _told(error, workshop.folder)}}
    if case.lava:
        found[f"net/{name}"]["lava"] = _run_on_lava(path, evaluation)
    if case.lava and options.get("neuron") != "sdnn":
        for neuron in ("if", "cuba"):
            found.update(_exchanged(workshop, name, path, neuron, evaluation))
    return found


def _digests(path: Path) -> Entry:
    return {"file": digests.of_file(path), "content": digests.of_net(path)}


def _run(path: Path, data: Any) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", snnc.OverflowWarning)
        return digests.of_run(snnc.run(snnc.load(path), data, samples=RUN_SAMPLES))


def _run_on_lava(path: Path, data: Any) -> str:
    if importlib.util.find_spec("lava") is None:
        return SKIPPED
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return digests.of_run(snnc.run(path, data, backend="lava", samples=LAVA_SAMPLES))
        except Exception as error:  # noqa: BLE001 - as above
            return _told(error, path.parent)


def _exchanged(workshop: Workshop, name: str, path: Path, neuron: str, data: Any) -> dict[str, Entry]:
    """The graph of NIR that a program becomes, the program that is read from it, and one compiled from it anew."""
    graph = workshop.folder / f"case-{name}-{neuron}.nir"
    entry = f"nir/{name}-{neuron}"
    if importlib.util.find_spec("nir") is None:
        return {entry: {SKIPPED: "a package is missing"}}
    try:
        snnc.export_nir(path, graph, neuron=neuron)
        back = graph.with_suffix(".net")
        snnc.load(graph).save(back)
    except Exception as error:  # noqa: BLE001 - as above
        return {entry: {"error": _told(error, workshop.folder)}}
    # A graph holds the provenance among its metadata, so it has no digest without it but that of what is read again.
    return {entry: {"file": digests.of_file(graph)}, f"{entry}-back": {**_digests(back), "run": _run(back, data)}}


def _told(error: Exception, folder: Path) -> str:
    return f"{type(error).__name__}: {error}".replace(str(folder), "<folder>")
