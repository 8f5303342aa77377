"""Where each source's topic ends: what the timeline has not taken yet."""

import asyncio
from collections.abc import Mapping
from typing import Any

from eventlog.kafka import KafkaError, Lane, open_consumer, read_tail
from eventlog.origin import Origin

ANSWER_S = 2.0


class Heads:
    """The last index of each source's topic. Its connection opens with the first question."""

    def __init__(self, *, kafka: str, topics: Mapping[str, str], origin: Origin) -> None:
        """``topics`` by source; ``origin`` tells what each source published."""
        self._kafka = kafka
        self._topics = topics
        self._origin = origin
        self._lane = Lane("kafka-heads")
        self._consumer: Any = None

    async def read(self) -> Mapping[str, int | None]:
        """The highest index in each topic, -1 for an empty one; ``None`` where Kafka does not say it within 2 s."""
        asked: dict[str, int | None] = dict.fromkeys(self._topics)
        try:
            async with asyncio.timeout(ANSWER_S):
                for source in asked:
                    asked[source] = await self._lane.call(self._head, source)
        except (TimeoutError, KafkaError):
            return asked
        return asked

    def _head(self, source: str) -> int:
        try:
            if self._consumer is None:
                self._consumer = open_consumer(self._kafka)
            tail = read_tail(self._consumer, source=source, topic=self._topics[source], origin=self._origin)
        except KafkaError:
            self._close()
            raise
        return -1 if tail.record is None else int(tail.record.index)

    async def run(self) -> None:
        """Does nothing until the process ends; then the thread and its connection end too."""
        try:
            await asyncio.Event().wait()
        finally:
            self._lane.leave(self._close)

    def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.close(timeout_ms=0)
