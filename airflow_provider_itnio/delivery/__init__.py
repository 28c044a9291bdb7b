"""Who already has a message, kept across the tries of a task. Imports `api` and no Airflow."""
