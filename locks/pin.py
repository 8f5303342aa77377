"""Pins versions and hashes of everything `pyproject.toml` asks for into the lock files beside this program."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FILES = {
    "dev": ("pyproject.toml", "--extra", "embedded", "--group", "dev"),
    "run": ("pyproject.toml", "--extra", "embedded"),
    "production": ("pyproject.toml",),
    "build": ("--group", "build"),
}
"""Lock file → what it covers. The first is resolved; the others keep to its versions."""


def main() -> int:
    """Writes all files, or the first failure's status."""
    for name, covers in FILES.items():
        command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
        command += ["--python-version", "3.11", "--no-header", "--no-annotate", *covers]
        command += [] if name == "dev" else ["--constraint", str(HERE / "dev.txt")]
        command += ["--output-file", str(HERE / f"{name}.txt")]
        if done := subprocess.run(command, cwd=HERE.parent, check=False).returncode:
            return done
    return 0


if __name__ == "__main__":
    sys.exit(main())
