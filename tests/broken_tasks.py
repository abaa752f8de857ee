"""A backend of django.tasks whose store is down."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("django.tasks"):
    from django.tasks.backends.base import BaseTaskBackend
else:
    from django_tasks.backends.base import BaseTaskBackend


class BrokenBackend(BaseTaskBackend):
    def enqueue(self, task, args, kwargs):
        raise RuntimeError("redis://user:s3cr3t@127.0.0.1:6379 is down")
