"""Owns the case: its stages and clocks, the evaluation of its risk, its resolution, and the measures of protection.

Publishes the events of streams ``case/<case_id>`` and ``measure/<measure_id>``. A case opens when a request is filed
and keeps the rule pack of that day. Reasons, details and every other text about a person are sealed under the key of
the case's subject; nothing here holds a name, a place or a narrative in clear.
"""
