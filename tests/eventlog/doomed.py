"""A sequencer in a process of its own that is killed between two steps: ``python -m tests.eventlog.doomed``.

Arguments: source, topic, Kafka, the sequencer role's URL, the step, and how often the step is done before the end.
"""

import asyncio
import os
import signal
import sys
from collections import Counter

from eventlog.origin import Origin
from eventlog.sequencer import Sequencer
from tests.eventlog.conftest import TRANSPORT_KEY


async def main(source: str, topic: str, kafka: str, database: str, last_step: str, times: str) -> None:
    """Sequences until the step was done so many times, and then is gone without a word."""
    done: Counter[str] = Counter()

    def count(step: str) -> None:
        done[step] += 1
        if step == last_step and done[step] == int(times):
            os.kill(os.getpid(), signal.SIGKILL)

    origin = Origin.load(TRANSPORT_KEY)
    await Sequencer(source=source, topic=topic, kafka=kafka, database=database, origin=origin, step=count).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
