"""Makes the routes of Airflow 3's execution API when it is imported, so that forks need not.

Each process that answers tasks, callbacks or triggers would spend seconds on making the same.
"""

from __future__ import annotations

import sys

from airflow.api_fastapi.execution_api import app

_in_process = app.InProcessExecutionAPI()
_apps = [_in_process.app]
if _server := sys.modules.get("airflow.api_fastapi.main"):
    _apps += [route.app for route in _server.app.routes if getattr(route, "path", "") == "/execution"]
for _app in _apps:
    _app._cadwyn_initialize()
vars(app)["InProcessExecutionAPI"] = lambda: _in_process
