"""The engine: rule packs → resolve → apply → combine → explain."""

from dualcarbon.engine.calculation import Calculation, calculate
from dualcarbon.engine.methods import find_method
from dualcarbon.engine.uncertainty import Term, combine, monte_carlo

__all__ = ["Calculation", "Term", "calculate", "combine", "find_method", "monte_carlo"]
