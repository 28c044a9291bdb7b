"""How the Jinja of a DAG file is rendered, and what data may do there. No Airflow.

It may import ``templating``, ``messages`` and ``api``.
"""
