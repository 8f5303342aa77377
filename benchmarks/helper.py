"""Owns talking to a process of the benchmarks' own: a question in a line of JSON, an answer in a line of JSON."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from local.stackfile import CHECKOUT

LINE_BYTES = 1 << 26


class Helper:
    """A process that serves questions. Use as an async context."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = (sys.executable, "-m", module, *arguments)

    async def __aenter__(self) -> "Helper":
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=CHECKOUT, stdin=pipe, stdout=pipe, limit=LINE_BYTES
        )
        return self

    async def __aexit__(self, *failure: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer. Raises ``RuntimeError`` with what the process says went wrong."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"failed": f"{self._command[2]} ended"}
        if "failed" in answer:
            raise RuntimeError(answer["failed"])
        return answer


def serve(answer: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """Answers questions until the input ends; a failure is an answer too."""
    for line in sys.stdin:
        try:
            said = answer(json.loads(line))
        except Exception as error:  # the one who asked has to know, whatever it is
            said = {"failed": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
