"""Annual carbon from monthly indicators, from any files in the observation layout: back-test, shapes, factor model."""
