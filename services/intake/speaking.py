"""Owns for whom somebody speaks in a request: whoever has an account of its own as one of its subjects, for itself."""

from dataclasses import replace

from access.policy import Role, Subject
from eventlog.decider import Refused
from eventlog.store import Actor, History
from services.intake import domain
from services.intake.domain import Request, Stage, SubjectId
from services.intake.vocabulary import Voice


def own_subjects(state: Request, *, actor_id: str) -> tuple[str, ...]:
    """The subjects that the actor is, by the accounts that were named."""
    return tuple(sorted(subject for subject, account in state.accounts.items() if account == actor_id))


def spoken(command: domain.Command, state: Request, history: History, *, actor: Actor) -> domain.Command:
    """The command as the actor may give it: a consent says how it came in. Who is linked speaks for itself and for
    nobody else, also where it names nobody.

    Raises ``Refused``: `unknown-subject` for another subject, as for none; `not-found` once the request is withdrawn,
    of which who is linked learns nothing else.
    """
    if not isinstance(command, domain.GiveConsent | domain.WithdrawConsent):
        return command
    own = own_subjects(state, actor_id=actor.id)
    filed = Subject.of(history.events[0].actor).owner == Subject.of(actor).owner
    if own and not filed and actor.role == Role.DEFENDER:
        if state.stage is Stage.WITHDRAWN:
            raise Refused("not-found", "there is nothing of yours under this id")
        if command.subject_id is not None and command.subject_id not in own:
            raise Refused("unknown-subject", "the request has no such subject")
        command = replace(command, subject_id=command.subject_id or SubjectId(own[0]))
    if isinstance(command, domain.WithdrawConsent):
        return command
    return replace(command, voice=_voice(command, own, state, actor))


def _voice(command: domain.GiveConsent, own: tuple[str, ...], state: Request, actor: Actor) -> Voice:
    if (command.subject_id or state.first_subject) in own:
        return Voice.OWN
    return Voice.RECORDED if actor.role == Role.COORDINATOR else Voice.FILER
