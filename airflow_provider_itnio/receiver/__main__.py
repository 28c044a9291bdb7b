"""``python -m airflow_provider_itnio.receiver``: the same as ``itnio-receiver``."""

import sys

from airflow_provider_itnio.receiver.cli import main

if __name__ == "__main__":
    sys.exit(main())
