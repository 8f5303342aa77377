"""Owns the invented people of the drill that looks for leaks: each text carries words that exist nowhere else.

Nobody here exists. The words are drawn anew for each run, so that no older file can hold them.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local import drill

CONSONANTS, VOWELS = "bcdfglmnprstv", "aeiou"
SYLLABLES = 7
ACCENTED = "ñandúché"
"""Part of one word: what is not ASCII is written differently everywhere."""


class Words:
    """Gives words that exist nowhere else, and keeps them: these are looked for."""

    def __init__(self) -> None:
        self.given: dict[str, str] = {}
        """Word → what it stood for."""

    def word(self, meaning: str, *, middle: str = "") -> str:
        """A new word, 14 letters or more."""
        drawn = "".join(secrets.choice(CONSONANTS) + secrets.choice(VOWELS) for _ in range(SYLLABLES))
        made = (drawn[:6] + middle + drawn[6:]).capitalize()
        self.given[made] = meaning
        return made

    def telephone(self) -> str:
        """A telephone number that nobody has: none begins so."""
        made = "0000" + "".join(secrets.choice("0123456789") for _ in range(9))
        self.given[made] = "telephone"
        return made

    def text(self, meaning: str, about: str) -> str:
        """A sentence with a word of its own at its beginning, middle and end, long enough to be compressed."""
        first, inner, last = (self.word(f"{meaning}, {where}") for where in ("beginning", "middle", "end"))
        return f"{first} {about}. It went on so for weeks, {inner} said; nobody answered, nobody came. Then {last}."


def stories(words: Words) -> Sequence[Mapping[str, Any]]:
    """The drill's stories with all that is said in them replaced."""
    return [_replaced(story, words) for story in drill.stories()]


def _replaced(story: Mapping[str, Any], words: Words) -> Mapping[str, Any]:
    request = dict(story["request"])
    title = story["title"]
    long = " ".join(
        words.text("narrative", "stood before the house at night and wrote down who came") for _ in range(12)
    )
    request |= {"narrative": long, "wanted": words.text("what is wanted", "asks for a light at the landing place")}
    request |= {"excluded_persons": words.text("excluded persons", "must never learn of this")}
    request["subjects"] = [_person(subject, words) for subject in request["subjects"]]
    request["evidence"] = [{"description": words.text("evidence", "is on the photograph of the gate")}]
    evaluation = dict(story["evaluation"])
    evaluation["variables"] = [
        {**variable, "reason": words.text("reason of a score", "was seen there")}
        for variable in evaluation["variables"]
    ]
    measures = [{**measure, "details": words.text("measure", "is asked for first")} for measure in story["measures"]]
    report = {**story["report"], "reasons": words.text("reasons of a report", "is credible")}
    return {
        "title": title,
        "says": story["says"],
        "request": request,
        "report": report,
        "evaluation": evaluation,
        "measures": measures,
    }


def _person(subject: Mapping[str, Any], words: Words) -> Mapping[str, Any]:
    drawn: Mapping[str, Callable[[], str]] = {
        "name": lambda: " ".join((words.word("given name"), words.word("accented name", middle=ACCENTED))),
        "contact": lambda: f"{words.telephone()} or at {words.word('contact')}",
        "place": lambda: f"{words.word('house')} by the {words.word('place')}",
    }
    return {**subject, **{field: text() for field, text in drawn.items() if field in subject}}
