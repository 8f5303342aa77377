"""What went wrong with the stack, for a person to read: which part, its last words, what to do."""

from collections.abc import Sequence


class StackFault(Exception):
    """The stack cannot do what was asked.

    ``part`` is the component or program, ``what`` one sentence, ``advice`` what its user can do about it, ``tail`` the
    last lines of that part's log (none if it never wrote any).
    """

    def __init__(self, part: str, what: str, *, advice: str, tail: Sequence[str] = ()) -> None:
        super().__init__(f"{part}: {what}")
        self.part = part
        self.what = what
        self.advice = advice
        self.tail = tuple(tail)

    def __str__(self) -> str:
        said = "".join(f"\n  | {line}" for line in self.tail)
        return f"{self.part}: {self.what}{said}\nWhat to do: {self.advice}"


class NotReady(Exception):
    """A health check's answer: not yet, and why. It is asked again until its deadline."""
