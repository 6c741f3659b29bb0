"""``snnc inspect`` of a netx file that snnc did not write."""

from __future__ import annotations

from pathlib import Path

from snnc.cli.screen import Screen


def inspect_netx_file(screen: Screen, net: Path) -> int:
    """Shows what the file describes."""
    from snnc.compiler.netx import load_netx
    from snnc.runtime.report.netx_form import netx_form
    from snnc.runtime.report.netx_table import input_sentence, netx_table, output_sentence

    network = load_netx(net)
    screen.show(f"{net}: netx of lava-dl, {input_sentence(network)}")
    screen.show(netx_table(network))
    screen.show(output_sentence(network))
    for note in network.notes:
        screen.note(note)
    screen.emit({"net": str(net), "bytes": net.stat().st_size, **netx_form(network)})
    return 0
