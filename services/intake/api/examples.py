"""Owns the examples that the interface's description shows. People, places and organisations in them are invented."""

from typing import Any

FILING: dict[str, Any] = {
    "a threat against a land defender": {
        "summary": "Filed by an organisation with the person's consent; two agencies may know, one must never",
        "value": {
            "filed_by": "third_party_with_consent",
            "subjects": [
                {
                    "kind": "person",
                    "name": "Illari Invented",
                    "contact": "Only by the organisation's radio, after six in the evening",
                    "place": "Third house of an invented hamlet on an invented river",
                    "activities": ["land_or_environment"],
                    "factors": {"mother_tongue": ["Invented"], "disability": []},
                },
                {"kind": "family", "linked": True, "relation": "family"},
            ],
            "incident": "threat",
            "perpetrator": "non_state_illicit",
            "region": "PE-UCA",
            "narrative": "Two men whom nobody knew asked for her by name and left a cartridge on the table.",
            "wanted": "That somebody comes by; that the path is lit.",
            "causes": ["titling"],
            "project": "project-0042",
            "territory": "territory-0007",
            "excluded": ["pnp-ucayali"],
            "consents": [
                {"agency": "mp-fema-ucayali", "discloses": ["identity", "narrative"], "text_version": "drill-es-1"},
                {"agency": "dp-ucayali", "discloses": ["narrative"], "text_version": "drill-es-1"},
            ],
            "language": "es",
            "receipt": "full",
        },
    },
    "the least that is needed": {
        "summary": "No name, no evidence, no label",
        "value": {
            "filed_by": "defender",
            "incident": "harassment",
            "region": "PE-LOR",
            "narrative": "They call every night and say what my children wore.",
        },
    },
    "a person who cannot answer": {
        "summary": "Filed by a third party with a grave impediment; two persons decide later who is told",
        "value": {
            "filed_by": "third_party_grave_impediment",
            "subjects": [{"kind": "person", "name": "Wayra Invented"}],
            "incident": "arbitrary_detention",
            "perpetrator": "unknown",
            "imminent": True,
            "region": "PE-MDD",
            "narrative": "He was taken from a boat this morning and has not been seen since.",
            "impediment": "Nobody can reach him.",
        },
    },
}

INCIDENT: dict[str, Any] = {
    "a complaint that was refused": {
        "summary": "Not registering a complaint is an incident of its own",
        "value": {
            "kind": "complaint_refused",
            "perpetrator": "police",
            "region": "PE-UCA",
            "office": "station-invented",
            "happened_at": "2026-03-02T16:30:00-05:00",
            "narrative": "The officer on duty said that there was no paper and that she should come back another week.",
        },
    },
    "charges against a defender": {
        "summary": "Criminalisation, with what is charged",
        "value": {
            "kind": "criminalisation",
            "perpetrator": "prosecutor",
            "region": "PE-MDD",
            "charges": ["rioting", "obstruction_of_public_services"],
            "narrative": "Six people of the committee were summoned after the vigil.",
        },
    },
}
