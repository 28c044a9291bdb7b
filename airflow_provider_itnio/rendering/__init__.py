"""Rendering of the Jinja in a DAG file, with data that is never rendered. No Airflow.

It may import ``templating``, ``messages`` and ``api``.
"""
