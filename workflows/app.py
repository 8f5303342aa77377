"""Joins the parts of the process that conducts: the bridge from Kafka, its reconciliation, and the workflow worker."""

from collections.abc import Sequence

from workflows.protection_case import ProtectionCase
from workflows.referral import Referral

CONSUMER = "bridge"
SOURCES = ("intake", "protection", "referral")
WORKFLOWS: Sequence[type] = (ProtectionCase, Referral)
