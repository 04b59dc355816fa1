"""The engine: rule packs → resolve → apply → combine → explain."""

from dualcarbon.engine.calculation import Calculation, calculate
from dualcarbon.engine.groups import Term
from dualcarbon.engine.methods import find_method
from dualcarbon.engine.sampling import monte_carlo
from dualcarbon.engine.uncertainty import combine

__all__ = ["Calculation", "Term", "calculate", "combine", "find_method", "monte_carlo"]
