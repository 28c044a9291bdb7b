"""The Itniotech API: message models, requests, answers and errors. Imports no Airflow."""
