"""Itniotech's answers and pushes: account, signature, messages, replies. Imports faults and store."""
