"""Waiting for what must come true, instead of sleeping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

T = TypeVar("T")
INTERVAL_SECONDS = 0.05


@overload
async def eventually(
    read: Callable[[], Awaitable[T]],
    *,
    timeout: float = 10,  # noqa: ASYNC109 - a cancelled wait could not show the last value
    accept: Callable[[T], bool] = bool,
) -> T: ...


@overload
async def eventually(
    read: Callable[[], T],
    *,
    timeout: float = 10,  # noqa: ASYNC109
    accept: Callable[[T], bool] = bool,
) -> T: ...


async def eventually(
    read: Callable[[], Any],
    *,
    timeout: float = 10,  # noqa: ASYNC109
    accept: Callable[[Any], bool] = bool,
) -> Any:
    """The first value of ``read`` that ``accept`` takes; a failing assertion in ``read`` counts as not yet.

    Raises ``AssertionError`` with the last value seen (or the last failed assertion) after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            value = read()
            if inspect.isawaitable(value):
                value = await value
            if accept(value):
                return value
            seen = repr(value)
        except AssertionError as error:
            seen = f"failed assertion: {error}"
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {timeout} s; last seen: {seen}")
        await asyncio.sleep(INTERVAL_SECONDS)
