"""The rows of a rule: what must hold for a record, and what its payload is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, router, transaction
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_lazy as _

from ..conditions import If
from ..paths import Path
from ..payloads import Constant
from ..registry import held_value
from ..sentences import OPERATORS
from ..walking import field_at
from . import faults
from .rules import EventRule, Faulted, RuleRows, note_change


class _Part(Faulted):
    """A row of a rule."""

    RULE: ClassVar[str] = "rule_id"

    objects = RuleRows.as_manager()

    class Meta:
        abstract = True
        default_permissions = ()
        ordering = ["pk"]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the row with its rule's next version."""
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            super().save(*args, **kwargs)


class RuleCondition(_Part):
    """What must hold for a record, beside the transition."""

    rule = models.ForeignKey(EventRule, models.CASCADE, related_name="conditions")
    path = models.CharField(_("path"), max_length=400)
    operator = models.CharField(_("operator"), max_length=16, choices=list(OPERATORS.items()))
    value = models.JSONField(_("value"), null=True, blank=True, encoder=DjangoJSONEncoder)

    class Meta(_Part.Meta):
        verbose_name = _("condition")
        verbose_name_plural = _("conditions")

    def __str__(self) -> str:
        return str(_("condition on “%(path)s”") % {"path": self.path})

    def as_condition(self, model: type[models.Model] | None) -> If:
        """The condition, with its value as the field holds it to which the path leads."""
        field = field_at(model, self.path) if model else None
        value = self.value
        if field is not None and self.operator in faults.COMPARING:
            value = held_value(field, value)
        elif field is not None and self.operator == "in" and isinstance(value, list):
            value = [held_value(field, each) for each in value]
        return If(self.path, self.operator, value)

    def faults(self) -> Iterator[tuple[str, str]]:
        return faults.of_condition(self)


class RulePayload(_Part):
    """One value of a rule's payload: what a path leads to, or a constant."""

    rule = models.ForeignKey(EventRule, models.CASCADE, related_name="payload")
    key = models.CharField(
        _("key"), max_length=200, help_text=_("A dotted key nests: “ticket.url”.")
    )
    path = models.CharField(_("path"), max_length=400, blank=True)
    constant = models.JSONField(_("constant"), null=True, blank=True, encoder=DjangoJSONEncoder)
    fallback = models.JSONField(
        _("where it is empty"), null=True, blank=True, encoder=DjangoJSONEncoder
    )

    class Meta(_Part.Meta):
        verbose_name = _("payload value")
        verbose_name_plural = _("payload values")
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "key"],
                name="chatitive_payload_key",
                violation_error_message=_("The payload has this key already."),
            )
        ]

    def __str__(self) -> str:
        return str(_("payload “%(key)s”") % {"key": self.key})

    @property
    def source(self) -> Path | Constant:
        return Path(self.path, self.fallback) if self.path else Constant(self.constant)

    def faults(self) -> Iterator[tuple[str, str]]:
        return faults.of_payload(self)

    def validate_constraints(self, exclude: Collection[str] | None = None) -> None:
        """Refuse a key that one of the rule's stored rows takes already, or nests in.

        Not without the rule, as in a form of all its rows, which are looked at together there.
        """
        super().validate_constraints(exclude=exclude)
        if self.rule_id is None or not {"rule", "key"}.isdisjoint(exclude or ()):
            return
        others = RulePayload.objects.filter(rule_id=self.rule_id).exclude(pk=self.pk)
        if text := faults.clash(self.key, others.values_list("key", flat=True)):
            raise ValidationError({"key": text})


def _on_row(instance: Any, using: str, **kwargs: Any) -> None:
    note_change([instance.rule_id], using)
    if type(instance).rule.is_cached(instance):
        instance.rule.version += 1  # so that who changes a row can still save the rule itself


for _signal in (post_save, post_delete):
    for _model in (RuleCondition, RulePayload):
        _signal.connect(_on_row, sender=_model, dispatch_uid="chatitive_django")
