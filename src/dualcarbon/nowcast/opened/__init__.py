"""Figures of the quick-calc opened: equation, numbers, parts, down to cells and rows."""
