"""Keeps the histories of a running stack as fixtures: `python -m tests.workflows.record_histories NAME…` after a drill.

One history of each kind of path is enough; the names are workflow ids (`case/…`). Nothing personal is in them.
"""

import asyncio
import re
import sys
from pathlib import Path

from temporalio.client import Client

from local import stackfile

FOLDER = Path(__file__).parent / "histories"
_TRACE = re.compile(r'"stackTrace": "(?:[^"\\]|\\.)*"')  # it names files of the machine that recorded it


async def record(names: list[str]) -> None:
    """Writes each workflow's history to ``histories/<kind>_<id>.json``."""
    values = stackfile.existing(stackfile.home_folder()).values
    client = await Client.connect(values["AMPARO_TEMPORAL"], namespace=values["AMPARO_TEMPORAL_NAMESPACE"])
    for name in names:
        history = await client.get_workflow_handle(name).fetch_history()
        kept = _TRACE.sub('"stackTrace": ""', history.to_json())
        (FOLDER / f"{name.replace('/', '_', 1)}.json").write_text(kept + "\n")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
