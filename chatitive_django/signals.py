"""What this app tells others, in the past tense, and the one question that it asks.

What is told is told after the commit, and a receiver that raises stops nothing: its error is logged
by Django. Those that say otherwise are `transitioned`, `rules_written` and the question,
`should_send`.
"""

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

notification_recorded = Signal()
"""A notification was recorded, to be sent or not (`invalid`, `skipped`), and its transaction has
committed: sent with `notification`, read from the log for those who listen, and `using`."""

should_send = Signal()
"""A notification was claimed and is about to be posted: sent with `notification` and `using`.

A receiver that gives `False`, or a text with the reason, has it skipped; `None` and `True` send it.
Where one raises, the notification waits and is asked about again. Receivers run in the thread that
talks to the database, outside of any transaction, so they should be quick.
"""

notification_settled = Signal()
"""An attempt has ended and its result is stored: sent with `notification`, `result` and `using`.

Whatever status followed: one that will be tried again is `pending`. The signals below come beside
it, with the same arguments, for the statuses that end a notification.
"""

notification_accepted = Signal()
notification_rejected = Signal()
notification_unknown = Signal()
notification_skipped = Signal()

notification_expired = Signal()
"""A notification's time was over before it was accepted: sent with `notification` and `using`."""

channel_paused = Signal()
channel_resumed = Signal()
breaker_opened = Signal()
breaker_closed = Signal()
"""A channel stopped or went on: sent with `channel`, the row as it is now, and `using`."""

rules_written = Signal()
"""Rules, or rows of theirs, were written in the open transaction: sent with `using`."""
