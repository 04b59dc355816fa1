"""Open platform on which a city runs its dual-carbon work; every number can be opened."""

__version__ = "0.1.0"
