"""What the performance figures in the README come from. Run by hand: ``python -m benchmarks``."""
