"""The order of a source, in a real PostgreSQL and a real Kafka."""

from tests.eventlog.conftest import Log


async def test_what_was_appended_is_numbered_and_published(log: Log) -> None:
    """Without a gap from 0, the same bytes in the store and in the topic, in the order of appending."""
    log.start(log.sequencer())
    consumer = log.consumer()
    log.start(consumer)
    await log.append_many(20)
    records = await log.numbered(20)
    messages = await log.published(20)
    assert [message.value for message in messages] == records
    assert await log.took(20) == list(range(20))
