"""Where the nodes of a graph stand in a picture, and which way its edges go around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import networkx as nx

Point = tuple[float, float]
# What each node reads, by name, every node behind those that it reads.
Reads = Mapping[str, Sequence[str]]

# In columns: how far a passing edge keeps from the middle of a node, and from another edge.
_FROM_NODE = 0.5
_FROM_EDGE = 0.12
# In rows: an edge passes a row of nodes straight down, from this much above to this much below.
_PASS = 0.3


def positions(reads: Reads) -> dict[str, Point]:
    """Column and row of each node: rows by distance from the input, columns near those of what a node reads."""
    graph = nx.DiGraph((source, name) for name, sources in reads.items() for source in sources)
    graph.add_nodes_from(reads)
    places: dict[str, Point] = {}
    for row, names in enumerate(nx.topological_generations(graph)):
        wanted = {name: _mean([places[source][0] for source in reads[name]]) for name in names}
        order = sorted(names, key=lambda name: (wanted[name], name))
        for place, name in enumerate(order):
            places[name] = (place - (len(order) - 1) / 2, float(row))
    return places


def routes(reads: Reads, places: Mapping[str, Point]) -> dict[tuple[str, str], list[Point]]:
    """The points that each edge runs through, (source, reader): both ends, and between them what leads past nodes."""
    taken: dict[float, dict[float, float]] = {}
    for column, row in places.values():
        taken.setdefault(row, {})[column] = _FROM_NODE
    found = {}
    for reader, sources in reads.items():
        for source in dict.fromkeys(sources):
            points = [places[source]]
            for row in range(int(places[source][1]) + 1, int(places[reader][1])):
                column = _nearest_free(points[-1][0], taken[row])
                taken[row][column] = _FROM_EDGE
                points += [(column, row - _PASS), (column, row + _PASS)]
            found[source, reader] = [*points, places[reader]]
    return found


def _nearest_free(wanted: float, taken: dict[float, float]) -> float:
    """The column nearest to the wanted one that keeps the distance to all that are taken."""
    candidates = [wanted]
    for column, distance in taken.items():
        candidates += [column + distance, column - distance]
    free = [
        candidate
        for candidate in candidates
        # A little less than the distance: candidates stand at exactly that, but for rounding.
        if all(abs(candidate - column) > 0.99 * distance for column, distance in taken.items())
    ]
    # To the right where both sides are as near: a residual network's shortcuts then all run on one side.
    return min(free, key=lambda candidate: (round(abs(candidate - wanted), 6), -candidate))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
