"""Airflow sensors that wait for what became of messages. They ask the receiver and never send."""
