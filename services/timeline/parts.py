"""What the timeline's routes are given: found as ``request.app.state.parts``."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.clock import Clock
from services.timeline.heads import Heads
from services.timeline.wake import Wake

CONSUMER = "timeline"
"""The name under which positions are kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """``engine`` of the application role, the present by ``clock``, news by ``wake``, the topics' ends by ``heads``."""

    engine: AsyncEngine
    clock: Clock
    wake: Wake
    heads: Heads
    sources: tuple[str, ...]

    def drain(self) -> None:
        """Ends streams and waits for news, so that the process can end."""
        self.wake.end()


def parts_of(request: Request) -> Parts:
    """The parts of the process that answers."""
    found: Parts = request.app.state.parts
    return found


PartsOf = Annotated[Parts, Depends(parts_of)]
