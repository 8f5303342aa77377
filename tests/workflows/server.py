"""Where the time-skipping test server's program is."""

import sys
from pathlib import Path

NAME = "temporal-test-server"


def program() -> str:
    """The path of the program that its package installed beside this interpreter."""
    path = Path(sys.executable).with_name(NAME)
    assert path.exists(), f"{path} is missing: run `make setup`"
    return str(path)
