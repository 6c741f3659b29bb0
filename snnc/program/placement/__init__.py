"""Which cores of the chip a program's layers take, and whether they can."""

from snnc.program.placement.cores import PlacedLayer, Placement, place
from snnc.program.placement.cut import Cut
from snnc.program.placement.demand import RULES, Demand, Rule

__all__ = ["RULES", "Cut", "Demand", "PlacedLayer", "Placement", "Rule", "place"]
