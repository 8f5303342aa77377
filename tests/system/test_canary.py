"""Nothing that somebody filed stands in clear anywhere: not in a database, a topic, a workflow's history or a log.

Tables, topics and the server's own files are searched as bytes, so it does not matter which column, cache or dead row
might hold it.
"""

import base64
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from rich.console import Console

from local import drill, leak_drill, postgres, simulator
from local.leak_drill import PLACES
from local.leaks import Found, files_below, fragments, search
from local.stackfile import CHECKOUT
from tests.system.whole import Whole

pytestmark = [pytest.mark.slow, pytest.mark.servers]

LONG_WORD = 7


def personal_texts() -> set[str]:
    """Fragments of everything that the drill's parties say of somebody: names, ways to reach them, places, narratives,
    reasons, answers.
    """
    texts: list[str] = [drill.REASONS, simulator.ANSWER]
    names: list[str] = []
    for story in drill.stories():
        request = story["request"]
        texts += [request["narrative"], request["wanted"]]
        texts += [variable["reason"] for variable in story["evaluation"]["variables"]]
        texts += [measure["details"] for measure in story["measures"]]
        for subject in request["subjects"]:
            texts += [subject[field] for field in ("name", "contact", "place") if field in subject]
            if subject["kind"] == "person":
                names += [word for word in subject["name"].split() if len(word) >= LONG_WORD]
    return {*names, *(fragment for text in texts for fragment in fragments(text))}


def checkpoint(whole: Whole) -> None:
    """Everything that PostgreSQL holds in memory is written to its files."""
    with postgres.connect(whole.stack.values["AMPARO_POSTGRES"]) as connection:
        connection.execute("CHECKPOINT")


@pytest.mark.usefixtures("undisturbed")
def test_nothing_filed_stands_in_clear_in_any_file(whole: Whole) -> None:
    """Whoever steals a disk, a backup or a log learns of nobody."""
    checkpoint(whole)
    texts = personal_texts()
    assert len(texts) > 50
    files = list(files_below(whole.home))
    names = {file.relative_to(whole.home).parts[0] for file in files}
    assert {"postgres", "kafka", "temporal", "logs"} <= names
    assert search(files, texts).hits == {}


def test_the_search_finds_what_a_server_stores(whole: Whole) -> None:
    """The proof above is worth what the search is worth: a text in a table of that very server is found."""
    leak = f"Canaria {secrets.token_hex(8)}"
    name = f"canary_{secrets.token_hex(4)}"
    admin = whole.stack.values["AMPARO_POSTGRES"]
    try:
        with postgres.connect(admin) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        with postgres.connect(admin, database=name) as connection:
            connection.execute("CREATE TABLE leak (data jsonb)")
            connection.execute("INSERT INTO leak VALUES (jsonb_build_object('subject', %s::text))", [leak])
        checkpoint(whole)
        found = search(files_below(whole.home / "postgres" / "data" / "base"), [leak])
        assert len(found.hits) == 1
    finally:
        with postgres.connect(admin) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode().hex().encode(),
        lambda text: base64.b64encode(f'{{"name":"{text}"}}'.encode()),
        lambda text: base64.b64encode(f'{{"name": "{text}"}}'.encode()),
        lambda text: base64.b64encode(f'{{"name" : "{text}"}}'.encode()),
        lambda text: base64.urlsafe_b64encode(f"¿{text}?".encode()),
    ],
    ids=["plain", "utf-16-le", "utf-16-be", "hex", "base64-0", "base64-1", "base64-2", "base64-url"],
)
def test_a_leak_planted_in_a_copy_is_found(whole: Whole, tmp_path: Path, disguise: Callable[[str], bytes]) -> None:
    """One name in one file is enough to be found, in whatever way it was encoded."""
    leak = sorted(personal_texts())[secrets.randbelow(len(personal_texts()))]
    copies = list(copied(whole, tmp_path))
    assert search(copies, [leak]).hits == {}
    for copy in copies:
        content = copy.read_bytes()
        copy.write_bytes(content[: len(content) // 2] + disguise(leak) + content[len(content) // 2 :])
    assert search(copies, [leak]).hits == {str(copy): [leak] for copy in copies}


def copied(whole: Whole, folder: Path) -> Iterable[Path]:
    """Copies of a log, a topic's segment and the workflows' histories."""
    home = whole.home
    segment = next(home.glob("kafka/data/amparo.*.intake-0/*.log"))
    for file in (home / "logs" / "intake.log", segment, home / "temporal" / "temporal.db"):
        yield Path(shutil.copyfile(file, folder / file.name))


def test_the_drill_that_looks_for_leaks_finds_its_controls_and_nobody(tmp_path: Path) -> None:
    """Names, telephones, places and narratives go through filing, refusals, failures and a killed activity; no place
    that holds a control holds one of them.
    """
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("AMPARO_", "OTEL_"))}
    command = [sys.executable, "-m", "local.leak_drill", "--home", str(tmp_path / "stack")]
    done = subprocess.run(command, env=settings, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    for place in PLACES:
        assert re.search(r" 0 +found", rows[place]), done.stdout


def test_the_drill_says_so_when_somebody_leaked_or_a_control_was_missed() -> None:
    """Nothing found is no good news where the search finds nothing at all."""
    leak, control = "Lukarintopesa", "Control0123456789abcdef"
    places = dict.fromkeys(PLACES, control)

    def seen(*texts: str) -> Found:
        hits = {"a file": list(texts)} if texts else {}
        return Found(files=1, read_bytes=1, unpacked={}, unpacked_bytes=0, hits=hits)

    quiet = Console(quiet=True)
    clean = dict.fromkeys(PLACES, seen(control))
    assert leak_drill.report({**clean, "all else": seen()}, places, quiet)
    assert not leak_drill.report({**clean, "all else": seen(leak)}, places, quiet)
    assert not leak_drill.report({**clean, "kafka": seen(control, leak)}, places, quiet)
    assert not leak_drill.report({**clean, "logs": seen()}, places, quiet)
