"""The Itniotech API: what a message may hold, how it travels and what an answer means. Imports no Airflow."""
