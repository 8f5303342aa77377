"""Rule packs: what is loaded is whole, and what contradicts itself is refused with file, line, path and reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from procedures import packs
from procedures.rules import Limit, Status, Unit

DRILL = packs.FOLDER / "drill.yaml"


def test_a_pack_is_loaded_once() -> None:
    """Every caller shares one frozen value."""
    assert packs.load("drill") is packs.load("drill")


def test_a_recorded_version_gives_the_same_limits_again() -> None:
    """An auditor who holds pack and version of a case computes with the limits that the case had."""
    scaled = packs.load("drill", scale=0.2)
    assert scaled.version == "1x0.2"
    assert packs.load("drill", version=scaled.version) is scaled
    assert packs.load("drill", version="1") is packs.load("drill")


@pytest.mark.parametrize("version", ["2", "1x0", "1x-3", "1xmuch", "x", ""])
def test_a_version_that_is_not_here_is_refused(version: str) -> None:
    """A case is never judged by other rules than those it was filed under."""
    with pytest.raises(packs.PackError):
        packs.load("drill", version=version)


@pytest.mark.parametrize(("setting", "version"), [("drill", "1"), ("drill:3", "1x3"), ("drill:0.5", "1x0.5")])
def test_a_setting_may_stretch_the_limits_of_an_exercise(setting: str, version: str) -> None:
    """A class of beginners, or a slow machine, gets more time; the version that each case records says so."""
    assert packs.chosen(setting).version == version


@pytest.mark.parametrize("setting", ["drill:", "drill:0", "drill:-1", "drill:nan", "drill:inf", "drill:fast", ":2", ""])
def test_a_setting_without_a_sensible_scale_is_refused(setting: str) -> None:
    """A process that would open cases without limits does not start."""
    with pytest.raises(packs.PackError):
        packs.chosen(setting)


@pytest.mark.parametrize("name", ["atlantis", "../drill", "", "drill.yaml"])
def test_a_pack_that_is_not_here_is_refused(name: str) -> None:
    """The name is never a way to another file."""
    with pytest.raises(packs.PackError, match=r"no pack is called .*: there are drill"):
        packs.load(name)


def test_each_kind_of_agency_is_asked_for_its_own_thing_at_filing() -> None:
    """Police protect, prosecutors investigate, the Ombudsman follows; a ministry is asked once there is a measure."""
    pack = packs.load("drill")
    asked = {kind: pack.purpose_for(kind) for kind in ("police", "prosecutor", "ombudsman", "ministry")}
    assert asked == {"police": "protect", "prosecutor": "investigate", "ombudsman": "follow", "ministry": None}


@pytest.mark.parametrize("purpose", ["protect", "investigate", "follow", "implement"])
def test_every_purpose_has_both_clocks_of_a_referral(purpose: str) -> None:
    """No agency is asked for anything without a limit for its acknowledgement and its answer."""
    pack = packs.load("drill")
    assert pack.clock("acknowledge", purpose=purpose).limit == Limit(amount=6, unit=Unit.SECONDS)
    assert pack.clock("answer", purpose=purpose).limit == Limit(amount=20, unit=Unit.SECONDS)
    assert [rung.percent for rung in pack.clock("answer", purpose=purpose).rungs] == [50, 75, 100, 150]


def test_imminent_danger_takes_the_shorter_track() -> None:
    """The clocks of a track stand before those declared for every track, and keep their order."""
    pack = packs.load("drill")
    ordinary, extraordinary = (pack.case_clocks(pack.track_for(imminent=imminent)) for imminent in (False, True))
    assert [clock.name for clock in ordinary] == [clock.name for clock in extraordinary]
    limits = {clock.name: clock.limit.amount for clock in extraordinary}
    assert limits == {"preliminary_report": 30, "evaluation": 60, "resolution": 45, "notification": 30}
    assert pack.clock("resolution", track="ordinary").limit.amount == 90


def test_what_a_pack_does_not_have_is_a_key_error() -> None:
    """No clock, purpose, measure or rung is ever made up."""
    pack = packs.load("drill")
    asks: tuple[Callable[[], object], ...] = (
        lambda: pack.clock("answer"),
        lambda: pack.clock("answer", purpose="punish"),
        lambda: pack.measure("accompany_the_raid"),
        lambda: pack.clock("answer", purpose="protect").told(60),
    )
    for ask in asks:
        with pytest.raises(KeyError):
            ask()


def test_an_exercise_says_that_it_is_one() -> None:
    """Nobody may take the seconds of the drill for law."""
    assert packs.load("drill").status is Status.DRILL


def _broken(tmp_path: Path, breaking: Callable[[dict[str, Any]], object]) -> Path:
    document = yaml.safe_load(DRILL.read_text(encoding="utf-8"))
    breaking(document)
    path = tmp_path / "drill.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("breaking", "told"),
    [
        (lambda d: d["clocks"][0].pop("basis"), r"drill.yaml:\d+: clocks.0.basis: Field required"),
        (lambda d: d["clocks"][0].update(limit={"seconds": 1, "hours": 1}), r"clocks.0.limit: .*exactly one unit"),
        (lambda d: d["clocks"][0].update(limit={"seconds": 0}), r"clocks.0.limit.seconds: .*greater than 0"),
        (lambda d: d["clocks"][0].update(stops_on=[]), r"clocks.0.stops_on: .*at least 1"),
        (lambda d: d["clocks"][0].update(stops_on=["CaseOpened"]), r"clocks.0.stops_on: CaseOpened starts the clock"),
        (lambda d: d["clocks"][0].update(duty="nobody"), r"clocks.0.duty: nobody is no role"),
        (lambda d: d["clocks"][0].update(ladder="up"), r"clocks.0.ladder: up is no ladder"),
        (lambda d: d["clocks"][3].update(track="side"), r"clocks.3.track: side is no track"),
        (lambda d: d["clocks"].append(d["clocks"][0]), r"clocks: preliminary_report on every track is declared twice"),
        (lambda d: d["clocks"][0].update(colour="red"), r"clocks.0.colour: Extra inputs"),
        (lambda d: d["ladders"]["agency"].update({50: ["villain"]}), r"ladders.agency.50: villain is no role"),
        (lambda d: d["ladders"]["agency"].update({10: ["superior"]}), r"ladders.agency: the rungs must rise"),
        (lambda d: d["purposes"][0]["clocks"].pop(), r"purposes.0: .*acknowledge and answer, each once"),
        (lambda d: d["purposes"][1].update(at_filing=["police"]), r"purposes: police is asked for two things"),
        (lambda d: d["measures"][0].update(family="magic"), r"measures.0.family: "),
        (lambda d: d["tracks"].pop(), r"tracks: one track is for imminent danger"),
        (lambda d: d["risk"].update(version="9"), r"risk: .*threat_vulnerability_capacity 9 is not one of"),
        (lambda d: d["risk"]["thresholds"].update(extreme=1), r"risk: .*must be above"),
        (lambda d: d["risk"]["variables"].update(capacity=[]), r"risk.variables.capacity: .*at least 1"),
        (lambda d: d["risk"]["variables"].update(capacity=["exposure"]), r"risk.variables: exposure is declared twice"),
    ],
)
def test_a_pack_that_cannot_be_relied_on_is_refused(
    tmp_path: Path, breaking: Callable[[dict[str, Any]], object], told: str
) -> None:
    """Whoever writes a pack for another country reads where the fault is and what it is."""
    with pytest.raises(packs.PackError, match=told):
        packs.read(_broken(tmp_path, breaking))


def test_a_fault_is_told_with_its_line(tmp_path: Path) -> None:
    """The line is that of the value at fault."""
    path = tmp_path / "drill.yaml"
    path.write_text(DRILL.read_text(encoding="utf-8").replace("duty: evaluator", "duty: clerk"), encoding="utf-8")
    line = next(n for n, text in enumerate(path.read_text().splitlines(), start=1) if "duty: clerk" in text)
    with pytest.raises(packs.PackError, match=f"^drill.yaml:{line}: clocks.1.duty: clerk is no role of the pack$"):
        packs.read(path)


def test_what_is_not_yaml_is_told_so(tmp_path: Path) -> None:
    """A slip of indentation gives the place, not a traceback."""
    path = tmp_path / "drill.yaml"
    path.write_text("id: [drill", encoding="utf-8")
    with pytest.raises(packs.PackError, match="not YAML"):
        packs.read(path)


def test_limits_of_law_are_not_scaled(tmp_path: Path) -> None:
    """Only an exercise may run faster than the law."""
    path = _broken(tmp_path, lambda document: document.update(status="unverified"))
    assert packs.read(path).status is Status.UNVERIFIED
    with pytest.raises(packs.PackError, match="limits of law are not scaled"):
        packs.read(path, scale=0.5)
