"""The benchmarks for the performance figures in the README. Run them with ``python -m benchmarks``."""
