"""A project's Celery app, as its `celery.py` would make it; each test's run has a queue of its own.

CELERY_BROKER_URL, which Celery reads itself, says where the broker is.
"""

from __future__ import annotations

import os

from celery import Celery

run = os.environ.get("CELERY_RUN", "chatitive")

app = Celery("tests")
app.conf.task_default_queue = run
app.conf.worker_enable_remote_control = False  # its exchanges would be shared with other runs
app.conf.beat_schedule = {
    "deliver": {
        "task": "chatitive_django.deliver",
        "schedule": float(os.environ.get("SWEEP_EVERY", "15")),
    }
}
app.conf.broker_connection_retry_on_startup = True
if os.environ.get("CELERY_BROKER_URL", "").startswith("redis"):
    app.conf.broker_transport_options = {"global_keyprefix": f"{run}:"}
