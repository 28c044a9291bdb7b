"""The receiver: a separate server that stores Itniotech's pushes (statuses, replies) for Airflow.

Imports no Airflow, nothing of ``api`` and no sandbox.
"""
