"""Whether a list tells of anything that a read would refuse: compared for one caller, over all things of a small world.

The rules are not asked: what a list shows has to be what the reads of the same caller give, whatever they are.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

OK, FORBIDDEN, ABSENT = 200, 403, 404


@dataclass(frozen=True, kw_only=True, slots=True)
class Shelf:
    """A list, the member of its items that names a thing, and the read of one thing (``{}`` is its id)."""

    listed: str
    member: str
    read: str
    parameters: Mapping[str, str] | None = None


async def whole(client: httpx.AsyncClient, shelf: Shelf, *, limit: int) -> tuple[list[str], list[str]] | None:
    """The ids on all pages, and the cursors between them; nothing where the list is not the caller's."""
    found: list[str] = []
    cursors: list[str] = []
    asked: dict[str, Any] = {**(shelf.parameters or {}), "limit": limit}
    while True:
        answer = await client.get(shelf.listed, params=asked)
        if answer.status_code == FORBIDDEN:
            return None
        assert answer.status_code == OK, answer.text
        page = answer.json()
        found += [item[shelf.member] for item in page["items"]]
        if page["next_cursor"] is None or not page["items"]:
            return found, cursors
        cursors.append(page["next_cursor"])
        asked["cursor"] = page["next_cursor"]


async def readable(client: httpx.AsyncClient, shelf: Shelf, ids: Collection[str]) -> set[str] | None:
    """Which of these the caller reads; nothing where reading is not its role's. What is refused looks as what is not
    there, byte by byte but for the instance.
    """
    absent = _bytes(await client.get(shelf.read.format(uuid.uuid4())))
    seen = set()
    for each in ids:
        answer = await client.get(shelf.read.format(each))
        if answer.status_code == FORBIDDEN:
            return None
        if answer.status_code == OK:
            seen.add(each)
        else:
            assert _bytes(answer) == absent
    return seen


async def check(
    clients: Mapping[str, httpx.AsyncClient], shelf: Shelf, ids: Collection[str], *, limit: int = 50
) -> Mapping[str, set[str]]:
    """For every caller the list is what its reads give, with its own cursors and with everybody else's. Answers with
    what each listed. The lists may hold more than this world.
    """
    shown: dict[str, set[str]] = {}
    cursors: list[str] = []
    for name, client in clients.items():
        listed = await whole(client, shelf, limit=limit)
        read = await readable(client, shelf, ids)
        if listed is None:
            continue
        shown[name] = set(listed[0]) & set(ids)
        assert len(listed[0]) == len(set(listed[0])), f"{name}: something is listed twice"
        if read is not None:
            assert shown[name] == read, f"{name}: {shelf.listed} shows {shown[name]}, reads give {read}"
        cursors += listed[1][:2]
    for name in shown:
        for cursor in cursors:
            answer = await clients[name].get(shelf.listed, params={**(shelf.parameters or {}), "cursor": cursor})
            if answer.status_code == OK:
                items = {item[shelf.member] for item in answer.json()["items"]} & set(ids)
                assert items <= shown[name], f"{name}: another's cursor shows {items - shown[name]}"
    return shown


def _bytes(answer: httpx.Response) -> tuple[int, Sequence[tuple[str, object]]]:
    assert answer.status_code in (ABSENT, FORBIDDEN), answer.text
    return answer.status_code, sorted((name, value) for name, value in answer.json().items() if name != "instance")
