"""Keeps what Itniotech pushes (statuses, replies) for Airflow to ask.

A server of its own: imports no Airflow, nothing of ``api`` and no sandbox.
"""
