"""The Airflow notifier that alerts people on WhatsApp."""
