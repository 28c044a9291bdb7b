"""Operators that fetch what they send: the rows of a query."""
