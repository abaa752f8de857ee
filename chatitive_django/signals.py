"""What this app tells others, in the past tense."""

from __future__ import annotations

from django.dispatch import Signal

transitioned = Signal()
"""Watched rows were created, changed or deleted, and the transaction is still open.

Sent with `sender` (the concrete model), `transitions` (a list of `Transition`, several for a bulk
operation) and `using`.
A receiver that raises fails the write, as any receiver of a model signal does.
"""

notifications_committed = Signal()
"""The transaction that recorded notifications has committed: sent with `using`."""

notification_settled = Signal()
"""An attempt has ended and its result is stored: sent with `notification`, `result` and `using`."""
