"""Send messages to many recipients concurrently.

May import `api`, `delivery`, `messages` and `templating`, and no Airflow.
"""
