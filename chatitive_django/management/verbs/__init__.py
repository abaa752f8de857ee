"""The verbs of `manage.py chatitive`: their arguments, and what they do."""

from __future__ import annotations

from .channel import PAUSE, RESUME
from .cleaning import PRUNE, SCRUB
from .delivering import DELIVER, WORKER
from .diagnosing import DOCTOR
from .explaining import EXPLAIN
from .granting import GROUPS
from .resending import RESEND
from .ruling import RULES
from .status import STATUS
from .tailing import TAIL
from .trying import SEND_TEST

VERBS = [
    WORKER,
    DELIVER,
    DOCTOR,
    STATUS,
    SEND_TEST,
    RESEND,
    EXPLAIN,
    TAIL,
    RULES,
    PAUSE,
    RESUME,
    GROUPS,
    PRUNE,
    SCRUB,
]
