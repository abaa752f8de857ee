"""A rule's mode: who may change it, and the change itself, which says who did it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from ...models import EventRule
from ...resend import NotPossible

if TYPE_CHECKING:
    _RuleAdmin = admin.ModelAdmin[EventRule]
else:  # Django's own classes take no type arguments when they run
    _RuleAdmin = admin.ModelAdmin

ACTIVATE = "chatitive_django.activate_rule"


class Switching(_RuleAdmin):
    """What the pages share that change a rule's mode."""

    def may_activate(self, request: HttpRequest) -> bool:
        """Whether this person may make rules live, and change those that are."""
        return request.user.has_perm(ACTIVATE)

    def may_stop(self, request: HttpRequest, rule: EventRule) -> bool:
        """Whether this person may keep a rule from sending; to have it send needs more."""
        return super().has_change_permission(request, rule)

    def rule_named(self, request: HttpRequest, object_id: str) -> EventRule:
        """The rule of an address, for those who may see rules."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        rule: EventRule | None = self.get_object(request, object_id)
        if rule is None:
            raise Http404(_("There is no such rule."))
        return rule

    def rule_to_activate(self, request: HttpRequest, object_id: str) -> EventRule:
        """The rule of an address, for those who may make it live."""
        rule = self.rule_named(request, object_id)
        if not (self.may_activate(request) and self.may_stop(request, rule)):
            raise PermissionDenied
        return rule

    def rule_url(self, act: str, rule: EventRule, *args: object) -> str:
        """A page of a rule."""
        name = f"admin:chatitive_django_eventrule_{act}"
        return reverse(name, args=[rule.pk, *args], current_app=self.admin_site.name)

    def back_to(self, rule: EventRule) -> HttpResponse:
        """To the page of a rule, or to the list where someone has deleted it."""
        if EventRule.objects.filter(pk=rule.pk).exists():
            return HttpResponseRedirect(self.rule_url("change", rule))
        name = "admin:chatitive_django_eventrule_changelist"
        return HttpResponseRedirect(reverse(name, current_app=self.admin_site.name))

    def refuse_another_version(self, rule: EventRule, seen: object) -> None:
        """Raise `NotPossible` where the rule isn't the one any more that the person saw."""
        if str(seen) != str(rule.version):
            raise NotPossible(_("It has changed since you opened the page. Look at it again."))

    def give_mode(self, request: HttpRequest, rule: EventRule, mode: EventRule.Mode) -> None:
        """Save the rule with another mode, and log it; raises `ChangedMeanwhile`."""
        before = rule.get_mode_display()
        rule.mode = mode
        rule.edited_by_id = request.user.pk
        with transaction.atomic(using=rule._state.db):
            rule.save(update_fields=["mode", "edited_by"])
            modes = {"before": before, "after": rule.get_mode_display()}
            said = _("Mode: “%(before)s” became “%(after)s”.") % modes
            self.log_change(request, rule, f"{said} {rule.sentence()}")
