"""Owns what every workflow of a stream with clocks does: ask, be told, sleep until the next rung, give way to a
fresh run, and have other services work beside its clocks, which wait for none of them.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from google.protobuf.message import Message

    from amparo.activities.v1.activities_pb2 import Clock, Happened

LONGEST_WAIT = timedelta(days=30)
"""A run that sleeps longer could not be moved to newer code."""

ACTIVITY_TIMEOUT = timedelta(seconds=10)
"""After it a service that took the work and hangs is taken for lost, and the work is handed out again."""
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


class Beside:
    """Work of other services, in tasks of its own: a hung one keeps no clock waiting. Each piece has a name, and runs
    once at a time.

    It is idempotent: what is not done when the run ends is ordered anew by the next one.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._tasks

    def begin(self, name: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Starts a piece of work, unless it is under way."""
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(work())

    @property
    def has_done(self) -> bool:
        """Whether something has ended since `settle`."""
        return any(task.done() for task in self._tasks.values())

    def settle(self) -> None:
        """Takes note of what has ended. Raises what it raised."""
        for name in [name for name, task in self._tasks.items() if task.done()]:
            self._tasks.pop(name).result()

    async def stop(self) -> None:
        """Ends what is under way. Raises what was raised by what had ended before."""
        self.settle()
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def told_or(at: datetime | None, told: Callable[[], bool]) -> bool:
    """Sleeps until ``told`` (``True``) or the instant has come (``False``), at most 30 days."""
    wait = LONGEST_WAIT if at is None else min(LONGEST_WAIT, at - workflow.now())
    if told():
        return True
    if wait <= timedelta(0):
        return False
    try:
        await workflow.wait_condition(told, timeout=wait)
    except TimeoutError:
        return False
    return True


async def give_way(opened: Message, beside: Beside | None = None) -> None:
    """Goes on in a fresh run when the history has grown long. The fresh run asks where the stream stands, so nothing
    is carried, and orders anew what was under way ``beside``.
    """
    if workflow.info().is_continue_as_new_suggested():
        if beside is not None:
            await beside.stop()
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(opened)
