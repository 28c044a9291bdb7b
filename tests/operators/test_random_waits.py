"""Random broadcasts with wait_for and fixed seeds: messages, answers, store and worker fail."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from airflow_provider_itnio.messages import template_message
from tests.operators.test_random_broadcasts import FAULTS, Store, one_try
from tests.receiver.running import new_number, text_push
from tests.tables import for_each
from tests.task_runs import broadcast_run, counts_of

FAILS = "99960000026"

pytestmark = pytest.mark.usefixtures("asked_often", "quick_writes", "pushed_to_receiver")


def people_of(chance, sandbox, receiver):
    """Return recipients: windows open, closed, and closed but open in the receiver."""
    people = []
    for _ in range(chance.randint(1, 12)):
        number, kind = new_number(), chance.choice(["open", "closed", "misjudged", "misjudged"])
        if kind != "closed":
            receiver.push(text_push(f"from-{number}", "hi", phone=number, at=int(time.time())))
        if kind == "open":
            sandbox.window_open(number)
        people += [{"phone": number, "n": n} for n in range(chance.choice([1, 1, 3]))]
    if chance.random() < 0.3:
        people.append({"phone": FAILS, "n": 0})
    return people


def what_was_sent(sandbox):
    """Count the messages by type, recipient, and position among the recipient's messages."""

    def which(message):
        if message.type == "text":
            return message.text
        return message.body["template"]["components"][0]["parameters"][0]["text"]

    return Counter((one.type, one.recipient, which(one)) for one in sandbox.messages)


@for_each("seed", range(6))
def test_random_failures_repeat_no_message_and_the_summary_is_true(seed, sandbox, receiver, connect, traffic):
    connect(extra=receiver.extra | {"max_attempts": 1})
    chance = random.Random(f"wait {seed}")
    delivery = chance.choice(["at_least_once", "at_most_once"])
    people, every = people_of(chance, sandbox, receiver), chance.choice([1, 3, 50])
    doubtful = set()
    for person in people:
        if chance.random() < 0.2:
            sandbox.fail_next(recipient=person["phone"], **chance.choice(FAULTS[:5]))
            doubtful.add(person["phone"])
    run = broadcast_run(
        people,
        text="{{ recipient.n }}",
        fallback={"template": template_message("x", "en", body=["{{ recipient.n }}"])},
        wait_for="delivered",
        wait_timeout=30,
        keep_receipts=True,
        delivery=delivery,
        checkpoint_every=every,
        max_in_flight=chance.choice([1, 2, 8]),
        store=Store(chance, chance.choice([0, 0, 0.05])),
    )
    kills = 0
    for _ in range(8):
        end = one_try(run, traffic, chance, len(people))
        kills += end == "killed"
        if end in ("succeeded", "failed for good"):
            break
    sent = what_was_sent(sandbox)
    repeated = sum(count - 1 for (_, number, _), count in sent.items() if number not in doubtful)
    assert repeated <= (0 if delivery == "at_most_once" else kills * every)
    if delivery == "at_most_once":
        assert max(sent.values()) == 1
    if end == "succeeded":
        assert FAILS not in {person["phone"] for person in people}
        assert {(number, n) for _, number, n in sent} == {(one["phone"], str(one["n"])) for one in people}
    elif "return_value" in run.ti.pushed:
        counts = counts_of(run.summary)
        assert len(run.summary["receipts"]) == counts.get("accepted", 0) + counts.get("accepted_earlier", 0)
