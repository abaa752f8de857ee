"""Rules: events that staff declare, whole with their conditions and payload rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models, router, transaction
from django.db.models.signals import post_delete, post_save
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from ..conf import HOLD, RETRY
from ..dbtime import become_writer
from ..events import (
    ANY,
    LIVE,
    OFF,
    PER_RECORD,
    PER_TRANSITION,
    WATCH,
    Added,
    Changed,
    Created,
    Deleted,
    Event,
    Removed,
)
from ..events import Trigger as EventTrigger
from ..exceptions import ChatitiveError, InvalidEvent
from ..payloads import nested
from ..sentences import sentence
from ..signals import rules_written
from . import faults

if TYPE_CHECKING:
    from .rule_rows import RuleCondition, RulePayload


class ChangedMeanwhile(ChatitiveError):
    """Someone else has saved or deleted a rule since it was read."""


class RuleRows(models.QuerySet[Any]):
    """Rows of rules whose bulk writes count as changes of the rules, as single ones do."""

    def update(self, **values: Any) -> int:
        self._for_write = True
        with transaction.atomic(using=self.db):
            become_writer(EventRule, self.db)
            rules = set(self.values_list(self.model.RULE, flat=True))
            updated = super().update(**values)
            note_change(rules, self.db)
        return updated

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        self._for_write = True
        with transaction.atomic(using=self.db):
            created = super().bulk_create(objs, *args, **kwargs)
            if self.model is EventRule:
                rules_written.send(sender=EventRule, using=self.db)
            else:
                note_change({each.rule_id for each in created}, self.db)
        return created

    bulk_create.alters_data = True  # type: ignore[attr-defined]


class Faulted(models.Model):
    """A row whose `full_clean` also tells what the project's models say against it."""

    class Meta:
        abstract = True

    def faults(self) -> Iterator[tuple[str, str]]:
        """What is wrong with the row: a field, and a sentence for those who made the rule."""
        raise NotImplementedError

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        errors: dict[str, Any] = {}
        try:
            super().clean_fields(exclude=exclude)
        except ValidationError as error:
            errors = error.update_error_dict({})
        passed_over = {*(exclude or ()), *errors}
        for field, text in self.faults():
            if field not in passed_over:
                errors.setdefault(field, []).append(text)
        if errors:
            raise ValidationError(errors)


class EventRule(Faulted):
    """An event that staff declare for a model of the project."""

    RULE: ClassVar[str] = "pk"

    class Trigger(models.TextChoices):
        CREATED = "created", _("is created")
        CHANGED = "changed", _("changes")
        DELETED = "deleted", _("is deleted")
        ADDED = "added", _("gains one")
        REMOVED = "removed", _("loses one")

    class Mode(models.TextChoices):
        LIVE = LIVE, _("live")
        WATCH = WATCH, _("watch only")
        OFF = OFF, _("off")

    class Once(models.TextChoices):
        RECORD = PER_RECORD, _("once a record")
        TRANSITION = PER_TRANSITION, _("once a transition of a record")

    class OnAmbiguous(models.TextChoices):
        HOLD = HOLD, _("ask a person")
        RETRY = RETRY, _("send again")

    name = models.CharField(_("name"), max_length=200, unique=True)
    model = models.CharField(_("model"), max_length=200, help_text=_('As in "helpdesk.ticket".'))
    trigger = models.CharField(
        _("when it"), max_length=16, choices=Trigger, default=Trigger.CHANGED
    )
    field = models.CharField(_("field"), max_length=200, blank=True)
    from_values = models.JSONField(
        _("from"),
        default=list,
        blank=True,
        encoder=DjangoJSONEncoder,
        help_text=_("A list of values; an empty one means any."),
    )
    to_values = models.JSONField(
        _("to"),
        default=list,
        blank=True,
        encoder=DjangoJSONEncoder,
        help_text=_("A list of values; an empty one means any."),
    )
    on_create = models.BooleanField(
        _("also when created so"),
        default=False,
        help_text=_("Also when a record is created that holds the new value already."),
    )
    event_name = models.CharField(_("event"), max_length=255)
    channel = models.CharField(_("channel"), max_length=64, default="default")
    phone_number = models.CharField(
        _("phone number"), max_length=400, blank=True, help_text=_("The path that leads to it.")
    )
    subscriber_sid = models.CharField(
        _("subscriber SID"), max_length=400, blank=True, help_text=_("The path that leads to it.")
    )
    allow_new = models.BooleanField(_("allow new"), default=False)
    subscribe_new = models.BooleanField(_("subscribe new"), default=False)
    ordered = models.BooleanField(_("in order for each person"), default=True)
    on_ambiguous = models.CharField(
        _("when it may have arrived"), max_length=8, choices=OnAmbiguous, blank=True
    )
    expires_after = models.DurationField(_("expires after"), null=True, blank=True)
    cooldown = models.DurationField(_("least time between two for a person"), null=True, blank=True)
    once = models.CharField(_("once"), max_length=16, choices=Once, blank=True)
    mode = models.CharField(_("mode"), max_length=8, choices=Mode, default=Mode.WATCH)

    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
    )
    edited_at = models.DateTimeField(_("edited"), auto_now=True)
    edited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("edited by"),
    )

    objects = RuleRows.as_manager()

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules")
        ordering = ["name"]
        permissions = [
            ("activate_rule", _("Can make rules live")),
            ("set_subscribe_new", _("Can have rules subscribe new people")),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the rule as its next version.

        Raises `ChangedMeanwhile` where a later version is stored than the one that was read, or
        none any more.
        """
        using = kwargs.get("using") or router.db_for_write(EventRule, instance=self)
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "version", "edited_at"}
        before = self.version
        with transaction.atomic(using=using):
            if not self._state.adding:
                become_writer(EventRule, using)
                rows = _rules(using).select_for_update().filter(pk=self.pk)
                stored = rows.values_list("version", flat=True).first()
                if stored is None:
                    text = _("Someone else deleted the rule “%(name)s” in between.")
                    raise ChangedMeanwhile(text % {"name": self.name})
                if stored > before:
                    text = _("Someone else saved the rule “%(name)s” in between: read it again.")
                    raise ChangedMeanwhile(text % {"name": self.name})
                self.version = before + 1
            try:
                super().save(*args, **kwargs)
            except BaseException:
                self.version = before
                raise

    @property
    def model_class(self) -> type[models.Model] | None:
        """The model whose records it is for; `None` where the project has it no more."""
        try:
            return apps.get_model(self.model)
        except (LookupError, ValueError):
            return None

    @property
    def key(self) -> str:
        """Its identity in the log, which outlives it there."""
        return f"rule:{self.pk}"

    def as_event(
        self,
        conditions: Iterable[RuleCondition] | None = None,
        payload: Iterable[RulePayload] | None = None,
    ) -> Event:
        """The same declaration as code makes, of the stored rows unless others are given.

        Raises `ChatitiveError` where it can't be one.
        """
        conditions = self.conditions.all() if conditions is None else conditions
        payload = self.payload.all() if payload is None else payload
        return self.event(
            phone_number=self.phone_number or None,
            subscriber_sid=self.subscriber_sid or None,
            payload=nested({row.key: row.source for row in payload}),
            only_if=[row.as_condition(self.model_class) for row in conditions],
        )

    def event(self, **options: Any) -> Event:
        """An event with the rule's own columns, and the given options for what it reads."""
        return Event(
            self.event_name,
            when=self.as_trigger(),
            channel=self.channel,
            allow_new=self.allow_new,
            subscribe_new=self.subscribe_new,
            ordered=self.ordered,
            on_ambiguous=self.on_ambiguous or None,
            expires_after=self.expires_after,
            cooldown=self.cooldown,
            once=self.once or None,
            mode=self.mode,
            key=self.key,
            **options,
        )

    def as_trigger(self) -> EventTrigger:
        match self.trigger:
            case self.Trigger.CREATED:
                return Created()
            case self.Trigger.DELETED:
                return Deleted()
            case self.Trigger.CHANGED:
                return Changed(
                    self.field,
                    from_=self.from_values or ANY,
                    to=self.to_values or ANY,
                    on_create=self.on_create,
                )
            case self.Trigger.ADDED:
                return Added(self.field)
            case self.Trigger.REMOVED:
                return Removed(self.field)
        raise InvalidEvent(f"Rule {self.name!r} has no such trigger: {self.trigger!r}.")

    def sentence(
        self,
        conditions: Iterable[RuleCondition] | None = None,
        payload: Iterable[RulePayload] | None = None,
    ) -> str:
        """The rule as one sentence, or its name where it makes none."""
        model = self.model_class
        try:
            return sentence(self.as_event(conditions, payload), model) if model else self.name
        except ChatitiveError:
            return self.name

    def faults(self) -> Iterator[tuple[str, str]]:
        return faults.of_rule(self)

    def problems(
        self,
        conditions: Iterable[RuleCondition] | None = None,
        payload: Iterable[RulePayload] | None = None,
    ) -> list[str]:
        """What is wrong with the rule and its rows as the project is today, a sentence each."""
        conditions = self.conditions.all() if conditions is None else conditions
        payload = list(self.payload.all() if payload is None else payload)
        told = faults.sentences(self, exclude=["created_by", "edited_by"])
        for row in (*conditions, *payload):
            row.rule = self
            told += [f"{row}: {text}" for text in faults.sentences(row, exclude=["rule"])]
        return told + list(faults.of_keys(row.key for row in payload))


def _rules(using: str) -> models.QuerySet[EventRule]:
    return models.QuerySet(model=EventRule, using=using)


def note_change(rules: Collection[Any], using: str) -> None:
    """Give rules their next version, for their rows have changed, and tell of it.

    The time tells a rule that a fixture restored from the one that had this version before.
    """
    _rules(using).filter(pk__in=rules).update(version=models.F("version") + 1, edited_at=now())
    rules_written.send(sender=EventRule, using=using)


def _on_rule(using: str, raw: bool = False, **kwargs: Any) -> None:
    if raw:
        note_change([kwargs["instance"].pk], using)
    else:
        rules_written.send(sender=EventRule, using=using)


for _signal in (post_save, post_delete):
    _signal.connect(_on_rule, sender=EventRule, dispatch_uid="chatitive_django")
