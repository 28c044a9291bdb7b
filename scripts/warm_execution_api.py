"""Creates the routes of Airflow 3's execution API on import, so that forks need not.

Otherwise each process that serves tasks, callbacks or triggers would spend seconds on it. All use the latest
version of the API here, so the routes of other versions are not created.
"""

from __future__ import annotations

import sys

from airflow.api_fastapi.execution_api import app
from airflow.api_fastapi.execution_api.versions import bundle
from cadwyn import HeadVersion, Version, VersionBundle
from cadwyn.route_generation import _DELETED_ROUTE_TAG

_in_process = app.InProcessExecutionAPI()
_apps = [_in_process.app]
if _server := sys.modules.get("airflow.api_fastapi.main"):
    _apps += [route.app for route in _server.app.routes if getattr(route, "path", "") == "/execution"]
_latest = VersionBundle(
    HeadVersion(), Version(bundle.version_values[0]), api_version_var=bundle.api_version_var
)
for _app in _apps:
    _app.versions = _latest
    _routes = _app._latest_version_router.routes
    _routes[:] = [route for route in _routes if _DELETED_ROUTE_TAG not in route.tags]
    _app._cadwyn_initialize()
vars(app)["InProcessExecutionAPI"] = lambda: _in_process
