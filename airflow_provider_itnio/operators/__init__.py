"""Airflow operators that send WhatsApp messages."""
