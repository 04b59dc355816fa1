"""The quick-calc in words: the monthly brief and the yearly analysis, as text, page, Word and PDF."""
