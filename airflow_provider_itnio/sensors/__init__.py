"""Airflow sensors that wait for the status of messages. They ask the receiver and never send."""
