"""netx files of lava-dl as data: what anyone's ``.net`` file describes, read and checked (docs/netx.md)."""

from snnc.program.netx.network import Block, Connections, NetxNetwork, Neurons, Transform
from snnc.program.netx.reader import is_netx, load_netx

__all__ = ["Block", "Connections", "NetxNetwork", "Neurons", "Transform", "is_netx", "load_netx"]
