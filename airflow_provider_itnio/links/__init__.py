"""Links that a task shows in Airflow's pages. Imports `api`."""
