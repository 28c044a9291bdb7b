"""The Airflow hook of the Itniotech connection."""
