"""Messages to many people, several at a time.

May import `api`, `delivery`, `messages` and `templating`, and no Airflow.
"""
