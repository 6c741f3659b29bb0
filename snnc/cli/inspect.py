"""``snnc inspect``."""

from __future__ import annotations

from snnc.cli.options import Json, Net, Verbose
from snnc.cli.screen import Screen

EXAMPLES = """\b
Example:
  snnc inspect model.net
"""


def inspect_command(net: Net, as_json: Json = False, verbose: Verbose = False) -> int:
    """Show what a .net file holds.

    That is layers, thresholds, ranges of membrane potentials, resources, the ANN's energy and provenance.
    """
    screen = Screen(json=as_json)
    from snnc.api import load
    from snnc.compiler.targets import get_target
    from snnc.runtime.report import program_form, program_table, wording
    from snnc.runtime.report.program_form import ann_joules, resources

    program = load(net)
    target = get_target(program.target)
    coding = "graded spikes of 8 bits" if program.coding.kind == "graded" else "rate coded"
    screen.show(
        f"{net}: for {target.description}, {wording.timing(program)}, "
        f"input {wording.shape(program.coding.shape)} ({coding})"
    )
    screen.show(program_table(program, absolute=True))
    found = resources(program)
    screen.show(
        f"{found['neurons']:,} neurons, {found['synapses']:,} synapses, {found['weights']:,} stored weights of "
        f"{target.weight_bits} bits"
    )
    screen.show(
        f"at least {found['cores_at_least']:,} of {found['cores_per_chip']:,} cores, by the number of neurons alone "
        f"(up to {target.neurons_per_core:,} a core)"
    )
    macs = sum(layer.macs for layer in program.ann)
    energies = ", ".join(f"{wording.joules(value)} by {name}" for name, value in ann_joules(program).items())
    screen.show(f"the ANN takes {macs:,} multiply-accumulates per sample ({energies}, an estimate)")
    provenance = program.provenance
    options = ", ".join(f"{name} {value}" for name, value in provenance.options.items())
    screen.show(f"compiled by snnc {provenance.snnc} with {options}")
    screen.show(
        f"model {provenance.model[:16]}, calibrated on {provenance.calibration_samples:,} samples "
        f"{provenance.calibration[:16]} (SHA-256)"
    )
    for note in provenance.notes:
        screen.note(note)
    screen.emit({"net": str(net), "bytes": net.stat().st_size, **program_form(program)})
    return 0
