"""Measurements of the whole pipeline; see benchmarks/README.md."""
