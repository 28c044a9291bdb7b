"""Answers the requests of a task of Airflow 3 instead of its supervisor, with the data of the test."""

from __future__ import annotations

import json
from collections.abc import MutableMapping, Sequence
from types import SimpleNamespace
from typing import Any

from airflow.providers.common.compat.sdk import conf
from airflow.sdk.bases.xcom import BaseXCom
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import comms

from airflow_provider_itnio.sandbox.testing.run_spec import RETURNED, RunSpec, is_mapped

# Messages that Airflow only stores, and a test does not need.
IGNORED_MESSAGES = {
    "AwaitInputTask",
    "DeferTask",
    "MaskSecret",
    "RescheduleTask",
    "RetryTask",
    "SetRenderedFields",
    "SetRenderedMapIndex",
    "SkipDownstreamTasks",
    "TaskState",
}


class TestSupervisor:
    """Answers the messages that Airflow's task runner sends to its supervisor."""

    __test__ = False  # no test class for pytest, whatever its name

    def __init__(self, spec: RunSpec, state: MutableMapping[str, Any]) -> None:
        self.spec = spec
        self.state = state
        self.instances = 1
        self.missing: list[str] = []
        """What the task asked for and the test lacks, each with how to provide it."""
        self._pushed: dict[str, Any] = {}
        self._variables: dict[str, str | None] = {}

    @property
    def returned(self) -> Any:
        """The task's return value, as other tasks get it."""
        return decoded(self._pushed.get(RETURNED))

    async def asend(self, msg: Any) -> Any:
        """Answer a message of async code."""
        return self.send(msg)

    def send(self, msg: Any) -> Any:
        """Answer a message."""
        # By class name, since each version of Airflow adds messages.
        match type(msg).__name__:
            case "GetXCom":
                return comms.XComResult(key=msg.key, value=self._xcom(msg))
            case "GetXComSequenceSlice":
                values = self._sequence(msg)[msg.start : msg.stop : msg.step]
                return comms.XComSequenceSliceResult(root=values)
            case "GetXComSequenceItem":
                try:
                    return comms.XComSequenceIndexResult(root=self._sequence(msg)[msg.offset])
                except IndexError:
                    return comms.ErrorResponse(error=ErrorType.XCOM_NOT_FOUND)
            case "GetXComCount":
                return comms.XComCountResponse(len=len(self._sequence(msg)))
            case "SetXCom":
                self._pushed[msg.key] = as_json(msg.value)
            case "DeleteXCom":
                self._pushed.pop(msg.key, None)
            case "GetVariable":
                if msg.key in self._variables:
                    return comms.VariableResult(key=msg.key, value=self._variables[msg.key])
                self.missing.append(f"no Airflow variable of this name: variables={{{msg.key!r}: ...}}")
                return comms.ErrorResponse(error=ErrorType.VARIABLE_NOT_FOUND, detail={"key": msg.key})
            case "GetVariableKeys":
                keys = [key for key in self._variables if key.startswith(msg.prefix or "")]
                return comms.VariableKeysResult(keys=keys, total_entries=len(keys))
            case "PutVariable":
                self._variables[msg.key] = msg.value
            case "DeleteVariable":
                self._variables.pop(msg.key, None)
            case "GetConnection":
                name = f"AIRFLOW_CONN_{msg.conn_id.upper()}"
                self.missing.append(f"no Airflow connection {msg.conn_id!r}: set {name}")
                missing = {"conn_id": msg.conn_id}
                return comms.ErrorResponse(error=ErrorType.CONNECTION_NOT_FOUND, detail=missing)
            case "GetTaskStateStore":
                if msg.key in self.state:
                    return comms.TaskStateStoreResult(value=self.state[msg.key])
                return comms.ErrorResponse(error=ErrorType.TASK_STORE_NOT_FOUND)
            case "SetTaskStateStore":
                self.state[msg.key] = as_json(msg.value)
            case "DeleteTaskStateStore":
                self.state.pop(msg.key, None)
            case "ClearTaskStateStore":
                self.state.clear()
            case "SucceedTask":
                if conf.getboolean("state_store", "clear_on_success", fallback=False):
                    self.state.clear()
            case "GetPrevSuccessfulDagRun":
                return comms.PrevSuccessfulDagRunResult()
            case "GetPreviousDagRun":
                return comms.PreviousDagRunResult(dag_run=None)
            case "GetPreviousTI":
                return comms.PreviousTIResult(task_instance=None)
            case "GetTaskRescheduleStartDate":
                return comms.TaskRescheduleStartDate(start_date=None)
            case "ValidateInletsAndOutlets":
                return comms.InactiveAssetsResult(inactive_assets=[])
            case "GetTICount" if msg.task_ids == [self.spec.task.task_id] and not msg.states:
                return comms.TICount(count=self.instances)
            case name if name not in IGNORED_MESSAGES:
                raise RuntimeError(
                    f"the task asks Airflow for something that this fixture does not support ({name}): run "
                    "its DAG with dag.test(), which sends to the sandbox too"
                )
        return comms.OKResponse(ok=True)

    def _xcom(self, msg: Any) -> Any:
        index = -1 if msg.map_index is None else max(msg.map_index, -1)
        return self._by_map_index(msg, several=index >= 0).get(index)

    def _sequence(self, msg: Any) -> list[Any]:
        return [value for value in self._by_map_index(msg).values() if value is not None]

    def _by_map_index(self, msg: Any, several: bool = False) -> dict[int, Any]:
        """Return the XComs of a task's instances; ``several`` is for a task that is not in the DAG."""
        spec = self.spec
        if msg.task_id == spec.task.task_id:
            return {spec.map_index: self._pushed.get(msg.key)}
        upstream = spec.dag.task_dict.get(msg.task_id)
        value = spec.xcoms.pull(msg.task_id, msg.key, upstream)
        if value is None:
            return {}
        if upstream:
            several = is_mapped(upstream) or upstream.get_closest_mapped_task_group() is not None
        if not several:
            return {-1: encoded(msg.task_id, value)}
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            raise ValueError(f"xcoms: a list for {msg.task_id!r}, an entry per instance, {value!r:.60} given")
        return {index: encoded(msg.task_id, one) for index, one in enumerate(value)}


def encoded(task_id: str, value: Any) -> Any:
    """Serialize an XCom as in Airflow's database."""
    try:
        return json.loads(json.dumps(BaseXCom.serialize_value(value)))  # a backend may keep NaN
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"xcoms: for {task_id!r} something that Airflow can serialize ({error})") from error


def decoded(value: Any) -> Any:
    """Deserialize an XCom from Airflow's database."""
    return BaseXCom.deserialize_value(SimpleNamespace(value=value))


def as_json(value: Any) -> Any:
    """Return a value after a round trip to Airflow's API server, which does not accept NaN."""
    return json.loads(json.dumps(value, allow_nan=False))
