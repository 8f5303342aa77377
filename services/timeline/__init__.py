"""The timeline: what happened in each case, in what order, and how long each agency took.

Owns the order in which it took in the records of all sources (`log`, its own truth), and what is derived from them:
case timelines and response times (projections, which ``python -m services.timeline rebuild`` makes anew). It decides
nothing, appends to no stream and holds no personal data: no name, no place, no narrative, no id of a person; of an
actor it keeps the role and the unit.
"""
