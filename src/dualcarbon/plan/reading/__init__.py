"""A plan's document, whatever its format, as structured data, checked against itself."""
