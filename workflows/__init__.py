"""Owns the conducting: one Temporal workflow per stream that has clocks, the bridge that tells them what was recorded,
and their worker.

A workflow holds no truth. It asks the owning services where its stream stands, orders the next act, and sleeps until
it is told or a rung of a clock is due. First start, continue-as-new, reset, and rebuilding after Temporal's database
is lost are one path.
"""
