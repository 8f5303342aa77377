"""Loopback ports: which are free, and who holds one that is not."""

import random
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import psutil

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 20_000
EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
DEFAULT_EPHEMERAL_START = 32_768


def choose(names: Iterable[str]) -> dict[str, int]:
    """A free loopback port for each name, all different.

    They lie below the range from which the system serves outgoing connections: a port taken from that range may be
    some connection's own end by the next start, and the stack keeps its ports over restarts.
    """
    highest = _ephemeral_start() - 1
    with ExitStack() as held:  # each stays bound until all are chosen
        return {name: _bind_one(held, highest) for name in names}


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """The program that listens on a port, as ``'<command>' (process <pid>)``; ``another program`` if not visible."""
    try:
        listening = [c for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port and c.pid]
        listening.sort(key=lambda c: c.status != psutil.CONN_LISTEN)
        if listening:
            process = psutil.Process(listening[0].pid)
            command = " ".join(process.cmdline()[:4]) or process.name()
            return f"'{command[:120]}' (process {process.pid})"
    except psutil.Error:
        pass  # other users' sockets are hidden from us
    return "another program"


def _bind_one(held: ExitStack, highest: int) -> int:
    if highest > LOWEST_PORT:
        for candidate in random.sample(range(LOWEST_PORT, highest), k=min(200, highest - LOWEST_PORT)):
            taken = held.enter_context(socket.socket())
            try:
                taken.bind((LOOPBACK, candidate))
                return candidate
            except OSError:
                continue
    taken = held.enter_context(socket.socket())
    taken.bind((LOOPBACK, 0))
    return int(taken.getsockname()[1])


def _ephemeral_start() -> int:
    try:
        return int(EPHEMERAL_RANGE.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return DEFAULT_EPHEMERAL_START
