"""One process at a time: a lock on a file, let go by the system when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Hold the lock of ``file``, which is made if missing; waits for its holder without end."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(file, os.O_RDWR | os.O_CREAT, 0o600)) as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
