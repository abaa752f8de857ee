"""A finding names its place first: `Ticket.chatitive_events[0]: …`."""

from __future__ import annotations

from dataclasses import dataclass

from django.core import checks

_CLASSES = {"E": checks.Error, "W": checks.Warning, "I": checks.Info}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is declared: the text that names it, and the class that Django names."""

    text: str
    owner: type

    def finding(self, number: str, problem: str, *, hint: str | None = None) -> checks.CheckMessage:
        """A message of the id's own level: `E` an error, `W` a warning, `I` information."""
        level = _CLASSES[number[0]]
        return level(
            f"{self.text}: {problem.rstrip()}",
            hint=hint,
            obj=self.owner,
            id=f"chatitive_django.{number}",
        )
