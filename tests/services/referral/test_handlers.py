"""Each act as one transaction on a real PostgreSQL: what is recorded, what is refused with nothing written."""

import asyncio
import uuid

import pytest
from sqlalchemy import text

from access.identity import Caller
from amparo.intake.v1 import events_pb2 as intake
from eventlog.decider import Refused
from eventlog.store import ActKey, Actor
from services.referral import domain, handlers, projections, unsealing
from services.referral.agency import AgencyKind
from services.referral.registry import RequestNotRead
from tests.services.referral.conftest import CONTACT, NAME, NARRATIVE, PLACE, Room
from tests.services.referral.invented import OMBUDSMAN, POLICE, PROSECUTOR

OFFICER = Actor(id="police-ucayali", role="police_unit", unit=POLICE)
COORDINATOR = Caller(id="coordinator", role="coordinator", unit="dgdh", region="PE")


def act() -> ActKey:
    """A deed that nobody did yet."""
    return ActKey(client="test", key=str(uuid.uuid4()))


async def texts(room: Room, referral_id: str, actor: Actor = OFFICER) -> dict[str, str]:
    """What the actor reads of the case, by place in the filing."""
    _, told = await unsealing.disclose(referral_id, actor=actor, parts=room.parts)
    return {value.path: value.text for value in told}


async def unreadable(room: Room, referral_id: str, actor: Actor = OFFICER) -> None:
    """The actor reads nothing, as if there were nothing."""
    with pytest.raises(Refused) as refusal:
        await unsealing.disclose(referral_id, actor=actor, parts=room.parts)
    assert refusal.value.code == "not-found"


async def test_a_referral_is_sent_on_consent_with_its_due_instants(room: Room) -> None:
    """The purpose is the rule pack's for the agency's kind; both clocks run from the sending."""
    case, referral_id = await room.sent(imminent=True, no_accompaniment=True)
    seen = await handlers.see(referral_id, actor=OFFICER, parts=room.parts)
    assert uuid.UUID(referral_id).version == 4
    assert seen.sent.purpose == "protect"
    assert (seen.sent.imminent, seen.sent.no_accompaniment) == (True, True)
    assert (seen.sent.consent_version, seen.sent.subject_id) == (1, case.subject.id)
    assert (seen.sent.acknowledge_due - room.clock()).total_seconds() == 6
    assert (seen.sent.answer_due - room.clock()).total_seconds() == 20
    assert seen.history.events[0].correlation == case.case_id


async def test_a_referral_holds_no_word_in_clear(room: Room) -> None:
    """What the room stores, publishes and logs is ciphertext."""
    _, referral_id = await room.sent()
    async with room.owner.connect() as connection:
        tables = ("events", "cases", "consents", "copies", "referrals")
        dump = [str((await connection.execute(text(f"SELECT * FROM {table}"))).all()) for table in tables]
    for word in (NAME, CONTACT, PLACE, NARRATIVE, "cousin of the mayor"):
        assert not [table for table in dump if word in table]
    assert set(await texts(room, referral_id)) == {
        *("subjects.0.name", "subjects.0.contact", "subjects.0.place", "narrative")
    }


async def test_what_an_agency_writes_is_sealed(room: Room) -> None:
    """An article's text may name somebody as well as a reason may; nothing that an agency writes stands in clear."""
    _, referral_id = await room.sent()
    article, reasons = "art. 99, tío de Illari", "An invented cousin serves here."
    command = domain.Reject(
        agency=POLICE,
        ground=domain.RejectionGround.CONFLICT_OF_INTEREST,
        legal_basis=article,
        reasons=reasons,
        now=room.clock(),
    )
    await handlers.act_on_referral(command, referral_id=referral_id, actor=OFFICER, act=act(), parts=room.parts)
    async with room.owner.connect() as connection:
        found = await connection.execute(text("SELECT event FROM events WHERE stream LIKE 'referral/%'"))
        events = [bytes(event) for event in found.scalars()]
    assert events
    assert not [event for event in events if article.encode() in event or reasons.encode() in event]
    told = await unsealing.written(referral_id, actor=OFFICER, parts=room.parts)
    assert [(written.path, written.text) for written in told] == [("legal_basis", article), ("reasons", reasons)]


async def test_sending_again_answers_with_the_first_referral(room: Room) -> None:
    """A workflow that was rebuilt repeats nothing, even where eight of them ask at once."""
    case, first = await room.sent()
    before = await room.stored()
    assert {*await asyncio.gather(*(room.send(case) for _ in range(8)))} == {first}
    assert await room.send(case, purpose="protect") == first
    assert await room.stored() == before
    one, two = await room.registry.measure(case), await room.registry.measure(case)
    asked = [await room.send(case, purpose="implement", measure_id=measure_id) for measure_id in (one, two)]
    assert len({first, *asked}) == 3


async def test_sending_waits_until_the_request_was_read(room: Room) -> None:
    """A consent that is on its way must not look like none, nor a withdrawal like a consent."""
    case, _ = await room.sent()
    with pytest.raises(RequestNotRead):
        await room.send(case, request_version=room.registry.version(case) + 1)
    unknown = await room.registry.file()
    async with room.owner.begin() as connection:
        await connection.execute(text("DELETE FROM copies WHERE case_id = :c"), {"c": unknown.case_id})
        await connection.execute(text("DELETE FROM cases WHERE case_id = :c"), {"c": unknown.case_id})
    with pytest.raises(RequestNotRead):
        await room.send(unknown)


async def refused(room: Room, code: str, *sending: object, **changes: object) -> None:
    """The sending is refused with this code, and nothing is written."""
    before = await room.stored()
    with pytest.raises(Refused) as refusal:
        await room.send(*sending, **changes)  # type: ignore[arg-type]
    assert refusal.value.code == code
    assert await room.stored() == before


async def test_dnh_6_nothing_is_sent_without_consent_for_that_addressee(room: Room) -> None:
    """The Ombudsman is no exception, and a consent withdrawn is none."""
    case = await room.registry.file()
    await refused(room, "consent-missing", case)
    version = await case.consent(POLICE)
    await refused(room, "consent-missing", case, OMBUDSMAN)
    await case.withdraw(version)
    await refused(room, "consent-missing", case)


async def test_dnh_6_two_persons_decide_for_who_cannot_answer(room: Room) -> None:
    """And it is recorded that the referral rests on them."""
    case = await room.registry.file()
    await case.consent(OMBUDSMAN, "narrative", two_persons=True)
    seen = await handlers.see(await room.send(case, OMBUDSMAN), actor=COORDINATOR, parts=room.parts)
    assert (seen.sent.two_person_decision, seen.sent.consent_version) == (True, 0)


async def test_dnh_6_one_person_twice_is_not_two(room: Room) -> None:
    """Whoever decides alone decides nothing, whatever the registry let through."""
    case = await room.registry.file()
    alone = intake.DisclosureDecided(
        subject_id=case.subject.id, agency=POLICE, consent_version=1, first_person="ana", second_person="ana"
    )
    await case.feed(alone)
    await refused(room, "consent-missing", case)


async def test_dnh_5_an_excluded_agency_is_never_sent_anything(room: Room) -> None:
    """Neither a consent nor two persons outrank the exclusion, and a unit is excluded with its command."""
    case = await room.registry.file(excluded=[POLICE])
    await case.consent(POLICE)
    await case.consent(POLICE, two_persons=True)
    await refused(room, "agency-excluded", case)
    command, unit = f"command-{uuid.uuid4().hex[:8]}", f"unit-{uuid.uuid4().hex[:8]}"
    await room.register(command)
    await room.register(unit, superior=command)
    commanded = await room.registry.file(excluded=[command])
    await commanded.consent(unit)
    await refused(room, "agency-excluded", commanded, unit)


async def test_nothing_is_asked_of_whom_nobody_knows_or_for_what_nobody_knows(room: Room) -> None:
    """The workflow is told why, and does not try for ever."""
    case = await room.registry.file()
    for agency in (POLICE, "nobody-invented"):
        await case.consent(agency)
    await refused(room, "unknown-agency", case, "nobody-invented")
    await refused(room, "unknown-purpose", case, purpose="denounce")
    ministry = f"ministry-{uuid.uuid4().hex[:8]}"
    await room.register(ministry, AgencyKind.MINISTRY)
    await case.consent(ministry)
    await refused(room, "nothing-to-ask", case, ministry)


async def test_the_addressee_reads_exactly_what_was_consented_to_and_the_vault_records_it(room: Room) -> None:
    """One record per reading, with purpose and unit, so that the person can be told who looked."""
    case, referral_id = await room.sent(POLICE, "place")
    before = len(await room.accesses())
    assert await texts(room, referral_id) == {"subjects.0.place": PLACE}
    (access,) = (await room.accesses())[before:]
    assert access.kind == "PersonalDataRead"
    assert (access.event.actor.id, access.event.actor.unit) == (OFFICER.id, POLICE)
    assert (access.payload.purpose, access.payload.about) == ("referral.disclosure", f"referral/{referral_id}")
    assert (list(access.payload.classes), access.payload.rule) == (["place"], "consent:1")
    assert access.event.correlation == case.case_id
    assert list(access.payload.subjects) == [case.subject.id]


async def test_nobody_but_the_addressee_reads_the_disclosure(room: Room) -> None:
    """Not another agency, and not the coordinator by this way; nor is a key asked for. That they tried is recorded."""
    _, referral_id = await room.sent()
    before = len(await room.accesses())
    other = f"other-{uuid.uuid4()}"
    for unit in (PROSECUTOR, ""):
        await unreadable(room, referral_id, Actor(id=other, role="prosecutor", unit=unit))
    await unreadable(room, referral_id, COORDINATOR)
    await unreadable(room, str(uuid.uuid4()))
    tried = (await room.accesses())[before:]
    assert {access.kind for access in tried} == {"PersonalDataRefused"}
    assert (tried[0].event.actor.id, tried[0].payload.about) == (other, [f"referral/{referral_id}"])


async def test_what_was_rejected_answered_or_recalled_is_no_longer_read(room: Room) -> None:
    """Disclosure lasts as long as the agency is asked."""
    ends = (
        domain.Reject(agency=POLICE, ground=domain.RejectionGround.NO_MEANS, now=room.clock()),
        domain.Answer(agency=POLICE, done=True, now=room.clock()),
        domain.Recall(ground=domain.RecallGround.SENT_IN_ERROR),
    )
    for end in ends:
        _, referral_id = await room.sent()
        actor = COORDINATOR if isinstance(end, domain.Recall) else OFFICER
        assert await texts(room, referral_id)
        await handlers.act_on_referral(end, referral_id=referral_id, actor=actor, act=act(), parts=room.parts)
        await unreadable(room, referral_id)


async def test_dnh_6_a_withdrawal_recalls_in_the_transaction_that_reads_it(room: Room) -> None:
    """No workflow has to remember; the recall cites the withdrawal, and the clocks stop."""
    case, referral_id = await room.sent()
    withdrawal = await case.feed(intake.ConsentWithdrawn(subject_id=case.subject.id, agency=POLICE, consent_version=1))
    seen = await handlers.see(referral_id, actor=OFFICER, parts=room.parts)
    assert seen.state.stage is domain.Stage.RECALLED
    assert seen.history.events[-1].event == domain.ReferralRecalled(ground="consent_withdrawn")
    assert not seen.state.clocks
    await unreadable(room, referral_id)
    before = await room.stored()
    await room.registry.deliver(withdrawal)  # as after a loss of the position
    assert await room.stored() == before


async def test_dnh_5_an_exclusion_recalls_from_the_agency_and_the_units_under_it(room: Room) -> None:
    """An agreement may turn up after the referral went out. Others keep theirs."""
    command, unit = f"command-{uuid.uuid4().hex[:8]}", f"unit-{uuid.uuid4().hex[:8]}"
    await room.register(command)
    await room.register(unit, superior=command)
    case, to_police = await room.sent()
    for agency in (command, unit):
        await case.consent(agency)
    both = [await room.send(case, agency) for agency in (command, unit)]
    await case.feed(intake.AgencyExcluded(agency=command))
    for referral_id in both:
        assert (await room.types(referral_id))[-1] == "ReferralRecalled"
    assert await room.types(to_police) == ["ReferralSent"]


async def test_dnh_9_a_conflict_recalls_from_the_agency_and_the_units_under_it(room: Room) -> None:
    """The person's word is enough, whatever was consented to; nothing is sent to that command any more. Others keep
    theirs.
    """
    command, unit = f"command-{uuid.uuid4().hex[:8]}", f"unit-{uuid.uuid4().hex[:8]}"
    await room.register(command)
    await room.register(unit, superior=command)
    case, to_police = await room.sent()
    for agency in (command, unit):
        await case.consent(agency)
    both = [await room.send(case, agency) for agency in (command, unit)]
    said = intake.ConflictRecorded(agency=command, claimed=True)
    await case.feed(said)
    for referral_id in both:
        assert (await room.types(referral_id))[-1] == "ReferralRecalled"
    assert await room.types(to_police) == ["ReferralSent"]
    for agency in (command, unit):
        await refused(room, "conflict-of-interest", case, agency, round=2)
    officer = Actor(id="officer", role="police_unit", unit=unit)
    seen = await handlers.see(both[1], actor=officer, parts=room.parts)  # the account of its own acts
    assert seen.state.stage is domain.Stage.RECALLED
    with pytest.raises(Refused, match="not-found"):
        await unsealing.disclose(both[1], actor=officer, parts=room.parts)
    tied = Caller(id="tied", role="coordinator", unit=command, region="PE")
    with pytest.raises(Refused, match="not-found"):
        await handlers.see(to_police, actor=tied, parts=room.parts)


async def test_a_withdrawn_request_recalls_everything_that_is_open(room: Room) -> None:
    """What an agency answered before stays answered."""
    case, to_police = await room.sent()
    await case.consent(PROSECUTOR)
    to_prosecutor = await room.send(case, PROSECUTOR)
    answer = domain.Answer(agency=POLICE, done=True, now=room.clock())
    await handlers.act_on_referral(answer, referral_id=to_police, actor=OFFICER, act=act(), parts=room.parts)
    await case.feed(intake.RequestWithdrawn(case_id=case.case_id))
    assert (await room.types(to_prosecutor))[-1] == "ReferralRecalled"
    assert (await room.types(to_police))[-1] == "ReferralAnswered"
    await refused(room, "request-withdrawn", case, round=2)


async def test_dnh_10_when_one_of_two_withdraws_only_its_own_data_closes(room: Room) -> None:
    """A linked person's name goes with its consent; the defender's referral goes on."""
    case = await room.registry.file()
    await case.consent(POLICE, "identity")
    linked = await case.consent(POLICE, "identity", subject=case.linked)
    referral_id = await room.send(case)
    assert set(await texts(room, referral_id)) == {"subjects.0.name", "subjects.1.name"}
    await case.withdraw(linked, subject=case.linked)
    assert await room.types(referral_id) == ["ReferralSent"]
    assert set(await texts(room, referral_id)) == {"subjects.0.name"}


async def test_dnh_6_a_narrower_consent_closes_what_it_leaves_out_at_once(room: Room) -> None:
    """The open referral shows what both the sending and the last word allow."""
    case, referral_id = await room.sent()
    await case.consent(POLICE, "place")
    assert set(await texts(room, referral_id)) == {"subjects.0.place"}


async def test_an_agencys_words_are_sealed_under_the_subjects_key_and_read_with_a_record(room: Room) -> None:
    """The coordinator reads what the agency answered; another agency does not."""
    case, referral_id = await room.sent()
    command = domain.Answer(agency=POLICE, done=False, now=room.clock(), answer="No patrol car was free.")
    await handlers.act_on_referral(command, referral_id=referral_id, actor=OFFICER, act=act(), parts=room.parts)
    async with room.owner.connect() as connection:
        assert "patrol car" not in str((await connection.execute(text("SELECT * FROM events"))).all())
    for reader in (COORDINATOR, OFFICER):
        (read,) = await unsealing.written(referral_id, actor=reader, parts=room.parts)
        assert (read.version, read.path, read.text) == (3, "answer", "No patrol car was free.")
    assert list((await room.accesses())[-1].payload.subjects) == [case.subject.id]
    other = Actor(id="other", role="prosecutor", unit=PROSECUTOR)
    with pytest.raises(Refused):
        await unsealing.written(referral_id, actor=other, parts=room.parts)


async def test_a_repeated_act_gives_the_first_receipt_and_writes_nothing(room: Room) -> None:
    """By its key the first receipt; under a new key, the receipt of what it repeats."""
    _, referral_id = await room.sent()
    once, command = act(), domain.Acknowledge(agency=POLICE, now=room.clock())
    first = await handlers.act_on_referral(command, referral_id=referral_id, actor=OFFICER, act=once, parts=room.parts)
    accept = domain.Accept(agency=POLICE, now=room.clock())
    await handlers.act_on_referral(accept, referral_id=referral_id, actor=OFFICER, act=act(), parts=room.parts)
    before = await room.stored()
    again = await handlers.act_on_referral(command, referral_id=referral_id, actor=OFFICER, act=once, parts=room.parts)
    assert (again.receipt, again.seen.state.stage, again.quiet) == (first.receipt, domain.Stage.ACKNOWLEDGED, False)
    other = await handlers.act_on_referral(command, referral_id=referral_id, actor=OFFICER, act=act(), parts=room.parts)
    assert (other.receipt.hashes, other.receipt.version, other.quiet) == (first.receipt.hashes, 2, True)
    assert await room.stored() == before | {"acts": before["acts"] + 1}  # so that its key is nobody else's


async def test_what_is_late_is_judged_when_the_act_is_recorded(room: Room) -> None:
    """An act that waited for its turn until its clock ran out is late by the record's own time."""
    _, referral_id = await room.sent()
    command = domain.Acknowledge(agency=POLICE, now=room.clock())
    room.clock.advance(seconds=7)
    done = await handlers.act_on_referral(command, referral_id=referral_id, actor=OFFICER, act=act(), parts=room.parts)
    stored = done.seen.history.events[-1]
    assert (stored.event.late, stored.event.at, stored.recorded_at) == (True, room.clock(), room.clock())


async def test_acts_that_race_leave_one_history(room: Room) -> None:
    """An answer, a recall and a rung at once: each is recorded or refused, none is lost or doubled."""
    _, referral_id = await room.sent()
    room.clock.advance(seconds=5)
    commands: list[tuple[domain.Command, Actor]] = [
        (domain.Acknowledge(agency=POLICE, now=room.clock()), OFFICER),
        (domain.Answer(agency=POLICE, done=True, now=room.clock()), OFFICER),
        (domain.Recall(ground=domain.RecallGround.REROUTED), COORDINATOR),
        (
            domain.NoteSilence(clock="answer", rung=50, reached=room.clock(), told=(), now=room.clock()),
            handlers.WORKFLOWS,
        ),
    ] * 3
    found = await asyncio.gather(
        *(
            handlers.act_on_referral(command, referral_id=referral_id, actor=actor, act=act(), parts=room.parts)
            for command, actor in commands
        ),
        return_exceptions=True,
    )
    assert not [each for each in found if isinstance(each, Exception) and not isinstance(each, Refused)]
    types = await room.types(referral_id)
    assert len(types) == len(set(types))
    assert types[0] == "ReferralSent"


async def test_a_withdrawal_that_races_a_sending_leaves_nothing_open(room: Room) -> None:
    """Whichever comes first: either nothing is sent, or what was sent is recalled."""
    for _ in range(5):
        case = await room.registry.file()
        version = await case.consent()
        await asyncio.gather(room.send(case), case.withdraw(version), return_exceptions=True)
        async with room.parts.engine.connect() as session:
            assert not (await session.execute(projections.open_referrals(case.case_id))).all()


async def test_the_read_tables_are_what_the_events_say(room: Room) -> None:
    """A rebuild gives the same rows, the agencies' counters and cursors included."""
    for agency in (POLICE, PROSECUTOR):
        _, referral_id = await room.sent(agency)
        actor = Actor(id="one", role="police_unit", unit=agency)
        command = domain.Accept(agency=agency, now=room.clock())
        await handlers.act_on_referral(command, referral_id=referral_id, actor=actor, act=act(), parts=room.parts)

    async def rows() -> list[str]:
        async with room.parts.engine.connect() as session:
            found = [
                row
                for table in (projections.agencies, projections.referrals)
                for row in (await session.execute(table.select())).all()
            ]
        return sorted(str(row) for row in found)

    before = await rows()
    async with room.parts.engine.begin() as session:
        await projections.rebuild(session, room.parts.store)
    assert await rows() == before


async def test_the_application_cannot_change_what_is_recorded(room: Room) -> None:
    """Whoever holds the service's password still cannot rewrite an act."""
    await room.sent()
    for statement in ("UPDATE events SET version = 9", "DELETE FROM events", "TRUNCATE events", "DELETE FROM acts"):
        with pytest.raises(Exception, match="permission denied"):
            async with room.parts.engine.begin() as session:
                await session.execute(text(statement))
