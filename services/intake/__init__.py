"""Owns the registry: requests for protection and reports of incidents, the people they concern, what those consent to,
and who must never know.

Publishes the events of `amparo.intake.v1`. Names, contacts, places, narratives and profiles are sealed at the door,
each under its subject's key, and are in clear nowhere after it. Nothing here asks for evidence, and no case is given
to an agency from here: that is the referral service's.
"""
