"""The activities that this room serves on the queue `amparo.referral`: the same acts as the API's, under business keys.

A refusal is final for the workflow (``ApplicationError``, not retryable, its type the refusal's code). What may be
otherwise in a moment is retried: a registry event that was not read yet, a registry that does not answer, a rung whose
instant has not come.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from amparo.activities.v1 import activities_pb2 as contracts
from eventlog.codec import timestamp
from eventlog.decider import Refused
from eventlog.store import ActKey
from procedures import packs
from procedures.clocks import Deadline, due
from procedures.rules import Clock
from runtime.versions import SourceSilent
from services.referral import domain, handlers
from services.referral.handlers import WORKFLOWS, Parts, Seen
from services.referral.registry import RequestNotRead, once_read, request_stream
from services.referral.sending import send_referral

TASK_QUEUE = "amparo.referral"

READ_WITHIN = timedelta(seconds=2)
"""How long a sending waits for the registry's events before it is handed back to be tried again."""

T = TypeVar("T")

LATER = frozenset({"rung-not-reached"})
"""Refusals that time cures."""


def activities(parts: Parts) -> Sequence[Callable[..., Awaitable[object]]]:
    """The activity functions, bound to their parts."""

    @activity.defn(name="referral.send")
    async def send(order: contracts.SendReferral) -> contracts.ReferralSent:
        return contracts.ReferralSent(referral_id=await _refused_for_good(send_when_read(order, parts=parts)))

    @activity.defn(name="referral.standing")
    async def standing(question: contracts.AskReferralStanding) -> contracts.ReferralStanding:
        return standing_of(await _refused_for_good(_see(question.referral_id, parts=parts)))

    @activity.defn(name="referral.note_silence")
    async def note_silence(silence: contracts.NoteReferralSilence) -> contracts.ReferralStanding:
        return standing_of(await _refused_for_good(silence_noted(silence, parts=parts)))

    return (send, standing, note_silence)


async def send_when_read(order: contracts.SendReferral, *, parts: Parts) -> str:
    """Sends once the request has been read as far as it goes now; the referral's id. Raises `RequestNotRead` after 2 s,
    and ``SourceSilent``.

    The order's version is as old as the order, which waits while this service is down: an exclusion since then counts.
    """
    version = max(order.request_version, await parts.registry.of(request_stream(order.case_id)))

    async def send() -> str:
        return await send_referral(
            case_id=order.case_id,
            agency=order.agency,
            purpose=order.purpose,
            round=order.round,
            measure_id=order.measure_id,
            request_version=version,
            parts=parts,
        )

    return await once_read(send, within=READ_WITHIN)


async def silence_noted(silence: contracts.NoteReferralSilence, *, parts: Parts) -> Seen:
    """Records that a clock reached a rung with nobody acting; nothing where it stopped or the rung is recorded already.

    Raises ``Refused`` ``unknown-rung`` for one that the pack does not have.
    """
    seen = await _see(silence.referral_id, parts=parts)
    reached = dict(deadline(seen.sent, silence.clock).rungs).get(silence.rung)
    if reached is None:
        raise Refused("unknown-rung", "the rule pack has no such rung")
    done = await handlers.act_on_referral(
        domain.NoteSilence(
            clock=silence.clock,
            rung=silence.rung,
            reached=reached,
            told=_clock(seen.sent, silence.clock).told(silence.rung),
            now=parts.clock(),
        ),
        referral_id=silence.referral_id,
        actor=WORKFLOWS,
        act=ActKey(
            client="workflow",
            key=f"silence:{handlers.stream_of(silence.referral_id)}:{silence.clock}:{silence.rung}",
        ),
        parts=parts,
    )
    return done.seen


def standing_of(seen: Seen) -> contracts.ReferralStanding:
    """Where a referral stands: its stage, and each running clock with the rungs that are not recorded yet."""
    standing = contracts.ReferralStanding(
        version=seen.history.version, stage=seen.state.stage.value, closed=not seen.state.open
    )
    for name, due_at in seen.state.clocks.items():
        clock = standing.clocks.add(name=name, due=timestamp(due_at))
        for percent, at in deadline(seen.sent, name).rungs:
            if (name, percent) not in seen.state.rungs:
                clock.rungs.add(percent=percent, at=timestamp(at))
    return standing


def deadline(sent: domain.ReferralSent, name: str) -> Deadline:
    """A clock of the referral by the pack and version that it was sent with. Raises ``Refused`` ``unknown-clock``."""
    return due(_clock(sent, name), sent.sent_at)


def _clock(sent: domain.ReferralSent, name: str) -> Clock:
    try:
        return packs.load(sent.pack, version=sent.pack_version).clock(name, purpose=sent.purpose)
    except KeyError:
        raise Refused("unknown-clock", "the rule pack has no such clock for this purpose") from None


async def _see(referral_id: str, *, parts: Parts) -> Seen:
    return await handlers.see(referral_id, action="mechanism.conduct", actor=WORKFLOWS, parts=parts)


async def _refused_for_good(act: Awaitable[T]) -> T:
    try:
        return await act
    except RequestNotRead:
        raise ApplicationError("the registry's events are still being read", type="request-not-read-yet") from None
    except SourceSilent:
        raise ApplicationError("the registry does not answer", type="registry-silent") from None
    except Refused as refused:
        raise ApplicationError(refused.code, type=refused.code, non_retryable=refused.code not in LATER) from None
