"""The law as data: rule packs, the clock engine that computes due instants from them, and the risk methods they name.

Pure: no database, no clock of its own, no network, no Temporal. The same pack, start and scores give the same result
for a service, a workflow, and an auditor years later. `procedures.packs` loads packs, `procedures.rules` says what a
pack holds, `procedures.clocks` computes due instants, `procedures.risk` proposes a level of risk.
"""
