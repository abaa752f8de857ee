"""All the SQL on the log: claim, settle, rescue, expire.

A worker holds what it claimed by a lease: a random token and a time, both in the row. Every later
write names the token, so one that slept past its lease can't overwrite its successor's work.
"""

from __future__ import annotations

from .claiming import Place, claim, claim_next, claim_probe, claim_this, due, passed_over
from .settling import Acceptances, Settlement, is_plain, server_errors, settle, tell_settled
from .sweeping import AT_ONCE, expire, rescue, work_waits

__all__ = [
    "AT_ONCE",
    "Acceptances",
    "Place",
    "Settlement",
    "claim",
    "claim_next",
    "claim_probe",
    "claim_this",
    "due",
    "expire",
    "is_plain",
    "passed_over",
    "rescue",
    "server_errors",
    "settle",
    "tell_settled",
    "work_waits",
]
