"""Where a fault came from, told for a log: files of packages and line numbers, no path of the machine, no values."""

import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FRAMES = 8


def where(error: BaseException) -> str:
    """The lines an exception passed, the last first: ``services/intake/handlers.py:41 < …``, at most ``FRAMES``."""
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return " < ".join(f"{place(frame.filename)}:{frame.lineno}" for frame in reversed(frames))


def place(file: str) -> str:
    """A source file by its package: ``services/intake/handlers.py``, ``sqlalchemy/pool/base.py``."""
    path = Path(file)
    if path.is_relative_to(ROOT) and ".venv" not in path.parts:
        return str(path.relative_to(ROOT))
    parts = path.parts
    return "/".join(parts[parts.index("site-packages") + 1 :]) if "site-packages" in parts else "/".join(parts[-2:])
