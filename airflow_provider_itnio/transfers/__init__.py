"""Operators that send the rows of a query."""
