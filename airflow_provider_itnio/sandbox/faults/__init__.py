"""Faults: set by a test, at random, or by a test number. Imports no other folder."""
