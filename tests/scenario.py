"""Given what happened, when a command comes, then exactly these events, or that refusal: how every decider is
tested.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pytest

from eventlog.decider import Refused


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a command leads to, from a state."""

    run: Callable[[], Sequence[object]]

    def then(self, *events: object) -> None:
        """The command causes exactly ``events``, in this order; none for a repetition."""
        assert tuple(self.run()) == events

    def refused(self, code: str) -> None:
        """The command is refused with ``code``. Fails where no refusal comes."""
        with pytest.raises(Refused) as refusal:
            self.run()
        assert refusal.value.code == code


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """A state, reached by events."""

    decide: Callable[[Any, Any], Sequence[object]]
    state: Any

    def when(self, command: object) -> Outcome:
        """The command, given to the decider when its outcome is asked for."""
        return Outcome(run=lambda: self.decide(self.state, command))


def scenario(
    *, decide: Callable[[Any, Any], Sequence[object]], evolve: Callable[[Any, Any], Any], initial: object
) -> Callable[..., Given]:
    """``given(*events)`` of one decider."""
    return lambda *events: Given(decide=decide, state=reduce(evolve, events, initial))
