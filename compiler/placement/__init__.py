"""Which cores of the chip a program's layers take, and whether they can."""

from snnc.compiler.placement.cut import Cut
from snnc.compiler.placement.demand import Demand
from snnc.compiler.placement.place import PlacedLayer, Placement, place
from snnc.compiler.placement.rules import RULES, Rule

__all__ = ["RULES", "Cut", "Demand", "PlacedLayer", "Placement", "Rule", "place"]
