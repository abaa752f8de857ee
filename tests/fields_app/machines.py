"""State machines of the packages that projects use, the real ones."""

from __future__ import annotations

import django_fsm
from django.db import models
from viewflow import fsm


class Invoice(models.Model):
    """django-fsm-2: the state is a field, and a transition a method of the model."""

    state = django_fsm.FSMField(default="draft")
    phone = models.CharField(max_length=40, default="206-555-0100")

    def __str__(self):
        return f"invoice {self.pk}"

    @django_fsm.transition(field=state, source="draft", target="sent")
    def send(self, *, fails=False):
        if fails:
            raise ZeroDivisionError

    @django_fsm.transition(field=state, source="sent", target="paid")
    def pay(self):
        pass


class ProtectedInvoice(models.Model):
    """A state that nobody may assign, `refresh_from_db()` neither."""

    state = django_fsm.FSMField(default="draft", protected=True)
    phone = models.CharField(max_length=40, default="206-555-0100")

    def __str__(self):
        return f"invoice {self.pk}"

    @django_fsm.transition(field=state, source="draft", target="sent")
    def send(self):
        pass


class Parcel(models.Model):
    """viewflow, the way its own pages advise: the flow is a class beside the model."""

    stage = models.CharField(max_length=20, default="packed")
    phone = models.CharField(max_length=40, default="206-555-0100")

    def __str__(self):
        return f"parcel {self.pk}"


class ParcelFlow:
    stage = fsm.State(["packed", "sent", "lost"], default="packed")

    def __init__(self, parcel):
        self.parcel = parcel

    @stage.setter()
    def _set_stage(self, value):
        self.parcel.stage = value

    @stage.getter()
    def _get_stage(self):
        return self.parcel.stage

    @stage.transition(source="packed", target="sent")
    def send(self, *, fails=False):
        if fails:
            raise ZeroDivisionError

    @stage.transition(source="sent", target="lost")
    def lose(self):
        pass


class Review(models.Model):
    """viewflow's own field, for projects that come from django-fsm."""

    state = fsm.FSMField(max_length=20, default="draft")
    phone = models.CharField(max_length=40, default="206-555-0100")

    def __str__(self):
        return f"review {self.pk}"

    @state.transition(source="draft", target="sent")
    def send(self, *, fails=False):
        if fails:
            raise ZeroDivisionError

    @state.transition(source="sent", target="done")
    def finish(self):
        pass
