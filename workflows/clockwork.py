"""Owns what every workflow of a stream with clocks does: ask, be told, sleep until the next rung, give way to a
fresh run.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from google.protobuf.message import Message

    from amparo.activities.v1.activities_pb2 import Clock, Happened

LONGEST_WAIT = timedelta(days=30)
"""A run that sleeps longer could not be moved to newer code."""

ACTIVITY_TIMEOUT = timedelta(seconds=15)
RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=10)
)
"""For ever: a service that is down for a night must not end a case."""

Answer = TypeVar("Answer", bound=Message)


async def ask(queue: str, activity: str, question: Message, answer: type[Answer]) -> Answer:
    """Runs one activity of a service. Raises ``ActivityError`` only for what the service refuses."""
    found: Answer = await workflow.execute_activity(
        activity,
        question,
        task_queue=queue,
        result_type=answer,
        start_to_close_timeout=ACTIVITY_TIMEOUT,
        retry_policy=RETRY,
    )
    return found


def next_rung(clocks: Iterable[Clock]) -> tuple[str, int, datetime] | None:
    """The earliest unrecorded rung of the running clocks as (clock, per cent, instant)."""
    rungs = (
        (rung.at.ToDatetime(tzinfo=UTC), clock.name, int(rung.percent)) for clock in clocks for rung in clock.rungs
    )
    at, name, percent = min(rungs, default=(None, "", 0))
    return None if at is None else (name, percent, at)


class Telling:
    """What a workflow was told since it last asked. A copy, or news that the last answer held already, wakes nobody."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._news: dict[str, int] = {}

    def tell(self, happened: Happened) -> None:
        """Takes a signal. Noted before anything is awaited, so that a second copy finds it."""
        if happened.version > max(self._known.get(happened.stream, 0), self._news.get(happened.stream, 0)):
            self._news[happened.stream] = happened.version

    def knows(self, stream: str, version: int) -> None:
        """An answer held the stream up to ``version``."""
        self._known[stream] = max(version, self._known.get(stream, 0))
        if self._news.get(stream, 0) <= self._known[stream]:
            self._news.pop(stream, None)

    def news_of(self, kind: str) -> bool:
        """Whether there is news of a stream of this kind, such as ``request``."""
        return any(stream.startswith(f"{kind}/") for stream in self._news)

    def take(self, kind: str) -> None:
        """The news of this kind is about to be asked for."""
        for stream in [s for s in self._news if s.startswith(f"{kind}/")]:
            self._known[stream] = max(self._known.get(stream, 0), self._news.pop(stream))

    def __bool__(self) -> bool:
        return bool(self._news)


async def told_or(at: datetime | None, telling: Telling) -> bool:
    """Sleeps until there is news (``True``) or the instant has come (``False``), at most 30 days."""
    wait = LONGEST_WAIT if at is None else min(LONGEST_WAIT, at - workflow.now())
    if telling:
        return True
    if wait <= timedelta(0):
        return False
    try:
        await workflow.wait_condition(lambda: bool(telling), timeout=wait)
    except TimeoutError:
        return False
    return True


async def give_way(opened: Message) -> None:
    """Goes on in a fresh run when the history has grown long. The fresh run asks where the stream stands, so nothing
    is carried.
    """
    if workflow.info().is_continue_as_new_suggested():
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(opened)
