"""Run the example DAGs through real Airflow against the sandbox and show what arrived.

    python -m scripts.demo

Airflow gets a fresh home on SQLite, the sandbox a free port; nothing leaves this machine. Airflow's log is
written to ``demo/airflow.log``, the final inbox to ``demo/inbox.html``, and a picture of it to
``demo/inbox.png`` if playwright and chromium are installed. The exit code is 0 only if every DAG ended in the
expected state, and the inbox contains exactly the expected messages.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

from airflow_provider_itnio.sandbox import ReceivedMessage, Sandbox
from scripts.pictures import NoPictureError, take_picture
from scripts.running_airflow import AIRFLOW_3, RunningAirflow, airflow_environment
from scripts.running_receiver import RunningReceiver, with_receiver
from scripts.running_storage import RunningStorage

ROOT = Path(__file__).parent.parent
OUTPUT = ROOT / "demo"
RUN = "demo"
COMPARED_LENGTH = 13
"""First characters by which texts count as similar."""
MAX_SIMILAR_SHOWN = 5
ON_CALL = "+86 147-1800-4557"
STORM = 50
"""Runs that fail at the same time, after the examples; the person on call gets fewer alerts."""
ALERT_LIMIT = 20
QUESTION = "what_now"
"""The WhatsApp template with the question."""
HELD_ALERTS_DAG = "example_whatsapp_held_alerts"


class Example(NamedTuple):
    """The expected state of an example DAG, ``None`` if it waits for a person, and its messages."""

    state: str | None
    sends: Mapping[str, int]


EXAMPLES = {
    "example_whatsapp_messages": Example(
        "success",
        {
            "text": 2,
            "image": 1,
            "audio": 1,
            "video": 1,
            "document": 1,
            "sticker": 1,
            "location": 1,
            "interactive": 3,
            "contacts": 1,
            "template": 1,
        },
    ),
    "example_whatsapp_report": Example("success", {"text": 8, "document": 1}),
    "example_whatsapp_broadcast": Example("success", {"text": 500, "document": 2}),
    # Its tasks are green once the receiver says that the messages are delivered.
    "example_whatsapp_delivered": Example("success", {"template": 2}),
    # A person presses a button of its question.
    "example_whatsapp_ask": Example("success", {"template": 1}),
    # It fails on purpose: one alert for the task, one for the DAG.
    "example_whatsapp_alerts": Example("failed", {"text": 2}),
}
if AIRFLOW_3:
    EXAMPLES |= {
        "example_whatsapp_deadline": Example("success", {"text": 1}),
        "example_whatsapp_approval": Example(None, {"text": 1}),
    }


def expected_messages() -> Counter[str]:
    """Return the expected messages: of the examples, alerts up to the limit, and a summary of the others."""
    return sum((Counter(example.sends) for example in EXAMPLES.values()), Counter({"text": STORM_ALERTS + 1}))


STORM_ALERTS = ALERT_LIMIT - (3 if AIRFLOW_3 else 2)  # the examples' own alerts count; the question does not


def main() -> int:
    """Run the demo and return its exit code."""
    OUTPUT.mkdir(exist_ok=True)
    log = OUTPUT / "airflow.log"
    log.unlink(missing_ok=True)
    expected = expected_messages()
    faults: list[str] = []
    with (
        tempfile.TemporaryDirectory(prefix="itnio-demo-") as home,
        RunningReceiver(Path(home)) as receiver,
        RunningStorage(Path(home)) as storage,
        # The people of the examples have written to the business in the last 24 hours.
        Sandbox(webhook=receiver.push_url, open_windows=True) as sandbox,
    ):
        print(f"The sandbox answers at {sandbox.url}")
        print("Airflow starts ...", flush=True)
        settings = {
            "AIRFLOW_CONN_ITNIO_DEFAULT": with_receiver(sandbox, receiver),
            **storage.connections,
            "AIRFLOW__ITNIO__ALERT_RECIPIENTS": json.dumps({"tag:storm": ON_CALL}),
        }
        environment = airflow_environment(Path(home), dags_folder(Path(home)), settings)
        with RunningAirflow(environment, log) as airflow:
            for dag_id in EXAMPLES:
                print(f"Airflow runs {dag_id} ...", flush=True)
                airflow.trigger(dag_id, RUN)
            faults += press_button(sandbox, seconds=120)
            for dag_id, example in EXAMPLES.items():
                if example.state is not None and (state := airflow.wait_for(dag_id, RUN)) != example.state:
                    faults.append(f"{dag_id} ended as {state}, not as {example.state}; see {_shown(log)}")
            # The callbacks of a DAG run shortly after the end of its run.
            wait_for_messages(sandbox, expected.total() - STORM_ALERTS - 1, seconds=30)
            print(f"{STORM} runs of the DAG storm fail ...", flush=True)
            airflow.trigger("storm", *(f"storm_{number:02d}" for number in range(STORM)))
            wait_for_messages(sandbox, expected.total() - 1, seconds=60)
            for number in range(STORM):
                airflow.wait_for("storm", f"storm_{number:02d}")
            wait_for_held_alerts(airflow, sandbox, seconds=60)
            airflow.trigger(HELD_ALERTS_DAG, RUN)
            if (state := airflow.wait_for(HELD_ALERTS_DAG, RUN)) != "success":
                faults.append(f"{HELD_ALERTS_DAG} ended as {state}; see {_shown(log)}")
            wait_for_messages(sandbox, expected.total(), seconds=30)
        # Two callbacks at the same moment may both count as the last: the limit may be exceeded, not missed.
        expected["text"] += max(0, len(alerts_of_storm(sandbox)) - STORM_ALERTS)
        arrived = Counter(message.type for message in sandbox.messages)
        faults += [
            f"{kind}: {expected[kind]} expected, {arrived[kind]} arrived; see {_shown(log)}"
            for kind in sorted(expected | arrived)
            if arrived[kind] != expected[kind]
        ]
        faults += [f"refused: {refused.status}, {refused.why}" for refused in sandbox.refused]
        print_table(sandbox.messages)
        faults += print_storm(sandbox)
        faults += print_pushes(sandbox, receiver, seconds=60)
        write_inbox(sandbox.url)
        picture = draw_inbox(sandbox)
    for fault in faults:
        print(f"FAILED  {fault}", file=sys.stderr)
    print(f"\n{expected.total()} messages expected, {len(sandbox.messages)} arrived. ", end="")
    print(f"The inbox: {_shown(OUTPUT / 'inbox.html')}\n{picture}")
    return 1 if faults else 0


def dags_folder(home: Path) -> Path:
    """Put the example DAGs and the demo's own into one folder."""
    folder = home / "dags"
    for source in (ROOT / "example_dags", ROOT / "scripts" / "demo_dags"):
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    return folder


def alerts_of_storm(sandbox: Sandbox) -> list[str]:
    """Return the alerts of the storm that the person on call has received."""
    return [one.text for one in sandbox.sent_to(ON_CALL) if "Run: `storm_" in one.text]


def wait_for_held_alerts(airflow: RunningAirflow, sandbox: Sandbox, seconds: float) -> None:
    """Wait until each run of the storm was alerted or held back, or until the timeout."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        state = json.loads(airflow.variable("itnio_alerts_held") or "{}")
        held = max((one.get("held", 0) for one in state.get("recipients", {}).values()), default=0)
        if held + len(alerts_of_storm(sandbox)) >= STORM:
            return
        time.sleep(1)


def print_storm(sandbox: Sandbox) -> list[str]:
    """Print the alerts of the storm, and return errors in them."""
    texts = [message.text for message in sandbox.sent_to(ON_CALL)]
    alerts = alerts_of_storm(sandbox)
    last = [text for text in texts if "Further alerts are held back" in text]
    reports = [text for text in texts if text.startswith("📥")]
    print(f"\nOf {STORM} failed runs within a minute, {ON_CALL} gets {len(alerts)} alerts, the last with")
    for title, lines in (("", last), ("and this message on the others, from the task of a DAG:\n", reports)):
        print(f"{title}    " + "\n    ".join("\n".join(lines).split("\n")))
    held = f"{STORM - len(alerts)} alerts were held back"
    is_reported = len(reports) == 1 and held in reports[0]
    return [] if last and is_reported else [f"storm: {held!r} is not reported exactly once"]


def print_pushes(sandbox: Sandbox, receiver: RunningReceiver, seconds: float) -> list[str]:
    """Print the receiver's statuses, and return errors in them: each message has three statuses.

    The message with a file in the storage of this machine has failed, since WhatsApp could not fetch it.
    """
    number = len(sandbox.messages)
    files = sum("http://127.0.0.1" in str(one.body.get("document")) for one in sandbox.messages)
    expected = Counter(dict.fromkeys(("sent", "delivered", "read"), number - files) | {"failed": files})
    pushed = Counter[str]()
    deadline = time.monotonic() + seconds
    while pushed != expected and time.monotonic() < deadline:
        known = receiver.statuses([message.id for message in sandbox.messages])
        pushed = Counter(one["status"] for message in known for one in message["history"])
    ordinary = sum(message.type != "template" for message in sandbox.messages)
    print("\nStatuses pushed to the receiver: " + ", ".join(f"{n} {name}" for name, n in pushed.items()))
    print(
        f"If no recipient had written to the business in the last 24 hours, {ordinary} of the {number} "
        "messages would have failed: then only WhatsApp templates arrive."
    )
    return [] if pushed == expected else [f"pushes: {expected} expected, {pushed} came"]


def press_button(sandbox: Sandbox, seconds: float) -> list[str]:
    """Press the first button of the question when it has arrived; return an error if it has not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for message in sandbox.messages:
            if message.type == "template" and message.body["template"]["name"] == QUESTION:
                sandbox.reply(message_id=message.id, quick_reply=0)
                print(f"{ON_CALL} presses a button of the question")
                return []
        time.sleep(0.2)
    return [f"{QUESTION}: the question did not arrive"]


def wait_for_messages(sandbox: Sandbox, number: int, seconds: float) -> None:
    """Wait until a number of messages has arrived, or until the timeout."""
    deadline = time.monotonic() + seconds
    while len(sandbox.messages) < number and time.monotonic() < deadline:
        time.sleep(0.2)


def print_table(messages: Sequence[ReceivedMessage]) -> None:
    """Print type, recipient, id and first words of the messages; of similar ones only a few."""
    print(f"\n{'type':<12} {'recipient':<15} {'message id':<33} first words")
    similar = Counter[str]()
    for message in messages:
        start = f"{message.type} {message.text[:COMPARED_LENGTH]}"
        similar[start] += 1
        if similar[start] > MAX_SIMILAR_SHOWN:
            continue
        text = " ".join(message.text.split())
        shown = text if len(text) <= 60 else f"{text[:59]}…"
        print(f"{message.type:<12} {message.recipient:<15} {message.id:<33} {shown}")
    for start, count in similar.items():
        if count > MAX_SIMILAR_SHOWN:
            print(f"... and {count - MAX_SIMILAR_SHOWN} more that begin with {start.partition(' ')[2]!r}")


def write_inbox(url: str) -> None:
    """Save the inbox page as one file that shows the same without the sandbox."""
    with urlopen(f"{url}/sandbox/inbox.html") as saved:
        (OUTPUT / "inbox.html").write_bytes(saved.read())


def draw_inbox(sandbox: Sandbox) -> str:
    """Take a picture of the longest conversation, and return a line with its path or why there is none."""
    picture = OUTPUT / "inbox.png"
    picture.unlink(missing_ok=True)
    if not sandbox.messages:
        return "No picture: nothing arrived"
    ((busiest, _),) = Counter(message.recipient for message in sandbox.messages).most_common(1)
    try:
        take_picture(f"{sandbox.url}/#{busiest}", picture)
    except NoPictureError as reason:
        return f"No picture: {reason}"
    return f"A picture of it: {_shown(picture)}"


def _shown(path: Path) -> Path:
    return path.relative_to(ROOT)


if __name__ == "__main__":
    sys.exit(main())
