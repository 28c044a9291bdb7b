"""``python -m airflow_provider_itnio.sandbox`` is the command ``itnio-sandbox``."""

from __future__ import annotations

import sys

from airflow_provider_itnio.sandbox.cli import main

sys.exit(main())
