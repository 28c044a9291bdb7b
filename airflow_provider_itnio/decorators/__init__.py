"""The Airflow task decorator that sends what a function returns."""
