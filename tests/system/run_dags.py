"""Runs DAGs with ``dag.test()``, logs everything, and writes the result of each task."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

AIRFLOW_2 = version("apache-airflow").startswith("2.")


def main(results: str, *dag_files: str) -> None:
    import airflow.models.dagbag  # noqa: F401  puts a place of its own for warnings in, so it comes first
    from airflow.config_templates import airflow_local_settings
    from airflow.logging_config import configure_logging

    importlib.reload(airflow_local_settings)  # this fork's parent has already read the level
    configure_logging()
    seen: dict[str, Any] = {}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for path in map(Path, dag_files):
            if connection := os.environ.get(f"DEFAULT_OF_{path.stem}"):
                os.environ["AIRFLOW_CONN_ITNIO_DEFAULT"] = connection
            for dag in dags_of(path):
                run = dag.test()
                stored = as_stored(dag)
                tasks = {}
                for instance in run.get_task_instances():
                    index = "" if instance.map_index == -1 else f"[{instance.map_index}]"
                    tasks[f"{instance.task_id}{index}"] = what_became_of(instance, stored)
                seen[dag.dag_id] = {"state": str(run.state), "tasks": tasks}
    seen["warnings"] = [
        f"{warning.filename}: {warning.category.__name__}: {warning.message}" for warning in caught
    ]
    Path(results).write_text(json.dumps(seen))


def dags_of(path: Path) -> list[Any]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return [value for name, value in vars(module).items() if name in ("dag", "native_dag")]


def as_stored(dag: Any) -> Any:
    """Return the DAG as the web UI reads it from the database."""
    if AIRFLOW_2:
        from airflow.serialization.serialized_objects import SerializedDAG as Stored
    else:
        from airflow.serialization.serialized_objects import DagSerialization as Stored
    return Stored.from_dict(Stored.to_dict(dag))


def what_became_of(instance: Any, dag: Any) -> dict[str, Any]:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    return {
        "state": str(instance.state),
        "try": instance.try_number,
        "xcom": returned(instance),
        "rendered": RenderedTaskInstanceFields.get_templated_fields(instance),
        "link": open_chat(instance, dag),
    }


def returned(instance: Any) -> Any:
    from airflow.utils.session import create_session

    if AIRFLOW_2:
        from airflow.models.xcom import XCom as StoredXCom
    else:
        from airflow.models.xcom import XComModel as StoredXCom
    with create_session() as session:
        row = (
            session.query(StoredXCom)
            .filter_by(
                dag_id=instance.dag_id,
                run_id=instance.run_id,
                task_id=instance.task_id,
                map_index=instance.map_index,
                key="return_value",
            )
            .one_or_none()
        )
        if row is None:
            return None
        return row.value if AIRFLOW_2 else StoredXCom.deserialize_value(row)


def open_chat(instance: Any, dag: Any) -> str | None:
    """Return the link's address as the web UI does."""
    operator = dag.get_task(instance.task_id)
    if "Open chat in your WhatsApp" not in operator.operator_extra_link_dict:
        return None
    return operator.get_extra_links(instance, "Open chat in your WhatsApp")


if __name__ == "__main__":
    main(*sys.argv[1:])
