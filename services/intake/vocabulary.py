"""Owns the closed lists of words with which a filing is described.

Sources: DS 004-2021-JUS arts. 3 and 16 to 18 for who files and for whom; the registry's practice for the rest. Each
list but the last four is also an enumeration of `amparo.intake.v1`; those four only ever travel sealed, or are derived.
"""

from collections.abc import Mapping
from enum import StrEnum


class FiledBy(StrEnum):
    """How a request reached the mechanism."""

    DEFENDER = "defender"
    THIRD_PARTY_WITH_CONSENT = "third_party_with_consent"
    THIRD_PARTY_GRAVE_IMPEDIMENT = "third_party_grave_impediment"
    OWN_MOTION = "own_motion"


class SubjectKind(StrEnum):
    """Who is to be protected: a collective is a subject in its own right."""

    PERSON = "person"
    FAMILY = "family"
    COMMUNITY = "community"
    COLLECTIVE = "collective"
    ORGANISATION = "organisation"


class DefenderProfile(StrEnum):
    """What the subject does, asked as activity and never as a label."""

    LAND_OR_ENVIRONMENT = "land_or_environment"
    INDIGENOUS = "indigenous"
    PEASANT_OR_RONDERO = "peasant_or_rondero"
    WOMENS_RIGHTS = "womens_rights"
    LGBTI = "lgbti"
    SEXUAL_AND_REPRODUCTIVE_RIGHTS = "sexual_and_reproductive_rights"
    JOURNALIST = "journalist"
    LAWYER = "lawyer"
    DOCTOR_OR_EXPERT = "doctor_or_expert"
    TRADE_UNIONIST = "trade_unionist"
    TEACHER = "teacher"
    CHILD_OR_ADOLESCENT = "child_or_adolescent"
    VICTIMS_ADVOCATE = "victims_advocate"
    PARK_RANGER = "park_ranger"
    OMBUDSMAN_STAFF = "ombudsman_staff"
    COMMUNITY_OR_COLLECTIVE = "community_or_collective"
    FAMILY_MEMBER = "family_member"


class IncidentKind(StrEnum):
    """What was done to the subject."""

    KILLING = "killing"
    ATTEMPTED_KILLING = "attempted_killing"
    ENFORCED_DISAPPEARANCE = "enforced_disappearance"
    TORTURE_OR_ILL_TREATMENT = "torture_or_ill_treatment"
    ARBITRARY_DETENTION = "arbitrary_detention"
    KIDNAPPING = "kidnapping"
    PHYSICAL_ATTACK = "physical_attack"
    THREAT = "threat"
    HARASSMENT = "harassment"
    SURVEILLANCE = "surveillance"
    STIGMATISATION_OR_HATE = "stigmatisation_or_hate"
    DISCRIMINATION_OR_REPRISAL = "discrimination_or_reprisal"
    GENDER_VIOLENCE = "gender_violence"
    ATTACK_ON_HONOUR = "attack_on_honour"
    PROPERTY_OR_LIVELIHOOD = "property_or_livelihood"
    ENVIRONMENTAL_HARM = "environmental_harm"
    OBSTRUCTION = "obstruction"
    INFORMATION_THEFT = "information_theft"
    CULTURAL_RIGHTS = "cultural_rights"
    CRIMINALISATION = "criminalisation"
    DISPLACEMENT = "displacement"
    FORCED_EVICTION = "forced_eviction"
    EXCESSIVE_FORCE_AT_PROTEST = "excessive_force_at_protest"
    JOB_LOSS = "job_loss"
    COMPLAINT_REFUSED = "complaint_refused"
    FORCED_ACCOMPANIMENT = "forced_accompaniment"
    OTHER = "other"


class PerpetratorKind(StrEnum):
    """Who is thought to have done it, as a class: never who."""

    POLICE = "police"
    MILITARY = "military"
    PROSECUTOR = "prosecutor"
    JUDGE = "judge"
    REGIONAL_GOVERNMENT = "regional_government"
    LOCAL_GOVERNMENT = "local_government"
    NON_STATE_FORMAL = "non_state_formal"
    NON_STATE_INFORMAL = "non_state_informal"
    NON_STATE_ILLICIT = "non_state_illicit"
    MIXED = "mixed"
    UNKNOWN = "unknown"


class Verification(StrEnum):
    """How far an incident is established."""

    REPORTED = "reported"
    CORROBORATED = "corroborated"
    VERIFIED = "verified"
    UNFOUNDED = "unfounded"
    DUPLICATE = "duplicate"


class Charge(StrEnum):
    """What a defender is charged with, where the law is used to silence (Peruvian Criminal Code; Ley 30077 for
    organised crime)."""

    RIOTING = "rioting"
    OBSTRUCTION_OF_PUBLIC_SERVICES = "obstruction_of_public_services"
    AGGRAVATED_DAMAGE = "aggravated_damage"
    VIOLENCE_OR_RESISTANCE_TO_AUTHORITY = "violence_or_resistance_to_authority"
    EXTORTION = "extortion"
    KIDNAPPING = "kidnapping"
    USURPATION = "usurpation"
    CRIMINAL_ASSOCIATION = "criminal_association"
    DEFAMATION = "defamation"
    AGGRAVATED_DEFAMATION = "aggravated_defamation"
    FALSE_PUBLIC_DOCUMENT = "false_public_document"
    FALSE_MEDICAL_CERTIFICATE = "false_medical_certificate"
    ORGANISED_CRIME = "organised_crime"
    OTHER = "other"


class ViolenceForm(StrEnum):
    """The form of an act of gender violence (Ley 30364 art. 8)."""

    PHYSICAL = "physical"
    SEXUAL = "sexual"
    PSYCHOLOGICAL = "psychological"
    ECONOMIC = "economic"


class Voice(StrEnum):
    """How a subject's consent came in: by its own account, said to the mechanism, by whoever filed for it."""

    OWN = "own"
    RECORDED = "recorded"
    FILER = "filer"


class DataClass(StrEnum):
    """What a consent lets an agency see: the name, how to reach the subject, where it is, what happened. Whoever may
    know who somebody is may not call for that."""

    IDENTITY = "identity"
    CONTACT = "contact"
    PLACE = "place"
    NARRATIVE = "narrative"


class OpeningGround(StrEnum):
    """Why one sealed field is opened where danger does not wait for consent or competence."""

    DANGER_TO_LIFE = "danger_to_life"
    DISAPPEARED = "disappeared"
    MEDICAL_EMERGENCY = "medical_emergency"
    EVACUATION = "evacuation"


class OpenedField(StrEnum):
    """What can be opened so: what helps to find or reach somebody, and what happened."""

    NAME = "name"
    CONTACT = "contact"
    PLACE = "place"
    NARRATIVE = "narrative"


class Factor(StrEnum):
    """A differential factor, in the person's own words. Left out means that it was not asked; an empty list, that the
    person named none."""

    GENDER = "gender"
    SEXUAL_ORIENTATION_OR_GENDER_IDENTITY = "sexual_orientation_or_gender_identity"
    ETHNICITY = "ethnicity"
    MOTHER_TONGUE = "mother_tongue"
    AGE_GROUP = "age_group"
    DISABILITY = "disability"
    PREGNANCY = "pregnancy"
    RURALITY = "rurality"
    CONNECTIVITY = "connectivity"
    DEPENDANTS = "dependants"


class Relation(StrEnum):
    """How a linked subject belongs to the first one (DS 004-2021-JUS art. 3). Who is linked to whom is sealed with the
    coordinator."""

    FAMILY = "family"
    DEPENDANT = "dependant"
    LAWYER = "lawyer"
    REPRESENTATIVE = "representative"
    COLLEAGUE = "colleague"
    WITNESS_OR_EXPERT = "witness_or_expert"
    MEMBER = "member"


class HarmfulAct(StrEnum):
    """The categories of SDG indicator 16.10.1; each case is counted once."""

    KILLING = "killing"
    ENFORCED_DISAPPEARANCE = "enforced_disappearance"
    TORTURE = "torture"
    ARBITRARY_DETENTION = "arbitrary_detention"
    KIDNAPPING = "kidnapping"
    OTHER = "other_harmful_act"


HARMFUL_ACTS: Mapping[IncidentKind, HarmfulAct] = {
    IncidentKind.KILLING: HarmfulAct.KILLING,
    IncidentKind.ENFORCED_DISAPPEARANCE: HarmfulAct.ENFORCED_DISAPPEARANCE,
    IncidentKind.TORTURE_OR_ILL_TREATMENT: HarmfulAct.TORTURE,
    IncidentKind.ARBITRARY_DETENTION: HarmfulAct.ARBITRARY_DETENTION,
    IncidentKind.KIDNAPPING: HarmfulAct.KIDNAPPING,
}
"""Where an incident of a kind is counted; what is not here is `HarmfulAct.OTHER`."""
