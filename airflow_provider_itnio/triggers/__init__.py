"""Airflow triggers that wait for pushes of Itniotech. They ask the receiver and never send."""
