"""Delivery records: which messages a task has sent, kept across its tries. Imports `api` and no Airflow."""
