"""WhatsApp messages through Itniotech's API, as Apache Airflow tasks and alerts."""

__version__ = "0.1.0"
