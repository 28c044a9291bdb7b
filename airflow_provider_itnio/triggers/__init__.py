"""Airflow triggers that wait for what Itniotech pushes. They ask the receiver and never send."""
