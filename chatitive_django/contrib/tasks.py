"""Django's tasks deliver: `CHATITIVE["DISPATCHER"] = "tasks"`, and cron for the sweep.

On Django 5.2, which has no `django.tasks`, the django-tasks package stands in.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..conf import InvalidSetting
from .engine import EngineDispatcher

if TYPE_CHECKING or find_spec("django.tasks"):
    from django.tasks import task
    from django.tasks.exceptions import InvalidTask
elif find_spec("django_tasks"):
    from django_tasks import task
    from django_tasks.exceptions import InvalidTaskError as InvalidTask
else:
    raise InvalidSetting(
        'CHATITIVE["DISPATCHER"] is "tasks", and this Django has no django.tasks: '
        'pip install "chatitive-django[tasks]", or use Django 6.0.'
    )

try:

    @task
    def deliver() -> None:
        """Deliver what is due; to call it too often, or at once in many workers, does no harm."""
        TasksDispatcher().deliver()

except InvalidTask as error:
    raise InvalidSetting(
        f'CHATITIVE["DISPATCHER"] is "tasks", and TASKS["default"] refuses its task: {error}'
    ) from None


class TasksDispatcher(EngineDispatcher):
    """Enqueues a wake-up with the backend that `TASKS["default"]` names."""

    def send(self) -> None:
        deliver.enqueue()
