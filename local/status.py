"""What each program of the stack is doing now: state, health, address, memory."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from local import programs
from local.faults import NotReady
from local.ports import LOOPBACK
from local.stackfile import Stack
from local.supervisor import Supervisor

STOPPED = "stopped"
"""The supervisor's word for a program that it was told to stop; one that cannot start is in another state."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One program. ``health`` is ``well`` or what its check says; ``megabytes`` its processes' proportional memory."""

    name: str
    state: str
    health: str
    address: str
    pid: int
    megabytes: int

    @property
    def is_at_fault(self) -> bool:
        """Whether it should be well and is not. What its user stopped should not."""
        return self.health != "well" and self.state != STOPPED


def rows(stack: Stack) -> list[Row]:
    """Every program that this stack runs, in the order of their table."""
    states = Supervisor(stack.home).states()
    names = [program.name for program in (*programs.components(stack), *programs.processes(stack))]

    def row(name: str) -> Row:
        state = states.get(name)
        pid = state.pid if state else 0
        _, port = next(iter(programs.ports_of(stack, name)))
        return Row(
            name=name,
            state=state.state.lower() if state else STOPPED,
            health=_health(stack, name) if pid else "",
            address=f"{LOOPBACK}:{port}",
            pid=pid,
            megabytes=_megabytes(pid),
        )

    with ThreadPoolExecutor() as pool:
        return list(pool.map(row, names))


def _health(stack: Stack, name: str) -> str:
    try:
        programs.check(stack, name)
    except NotReady as reason:
        return str(reason)
    return "well"


def _megabytes(pid: int) -> int:
    """Memory that a process and its children hold; pages shared among them (PostgreSQL's buffers) count once."""
    if not pid:
        return 0
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            full = process.memory_full_info()
            total += getattr(full, "pss", full.rss)
    except psutil.Error:
        pass  # it ended meanwhile, or belongs to another user
    return total // 1_000_000
