"""Which node of the graph holds what a name in the user's code stands for, at the point reached so far."""

from __future__ import annotations

import torch.fx


class Values:
    """Nodes of our graph for nodes of torch.fx's.

    In PyTorch several names can be one tensor: what ``x.relu_()`` and ``F.dropout(x, training=False)`` return is x
    itself. Whoever writes to one writes to all, and whoever reads any of them later reads what was written.
    """

    def __init__(self) -> None:
        self._names: dict[torch.fx.Node, str] = {}
        # For each node all that are the same tensor, itself included; they share the list.
        self._same: dict[torch.fx.Node, list[torch.fx.Node]] = {}

    def __contains__(self, node: torch.fx.Node) -> bool:
        """Whether a node is a tensor that the network computes."""
        return node in self._names

    def __getitem__(self, node: torch.fx.Node) -> str:
        """The node of our graph that holds its value now."""
        return self._names[node]

    def add(self, node: torch.fx.Node, name: str, *, same: torch.fx.Node | None = None) -> None:
        """Takes in a node whose value ``name`` holds.

        Args:
            node: The node.
            name: The node of our graph.
            same: An earlier node that is the same tensor.
        """
        self._names[node] = name
        group = self._same[same] if same is not None else []
        group.append(node)
        self._same[node] = group

    def change(self, node: torch.fx.Node, name: str) -> None:
        """Notes that a tensor was written to, and that ``name`` holds what it has become."""
        for each in self._same[node]:
            self._names[each] = name
