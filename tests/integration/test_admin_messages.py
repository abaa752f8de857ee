"""Messages on the project's own admins."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import timezone

from chatitive_django.admin import MessagesMixin, NotificationAdmin
from chatitive_django.models import Notification
from tests.desk.models import Agent, Customer, Ticket, TicketProxy
from tests.factories import CustomerFactory, NotificationFactory, StaffFactory, TicketFactory
from tests.fields_app.models import ByUUID
from tests.integration.test_admin import SCRIPT, logged_in, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

Status = Notification.Status

site = admin.AdminSite("admin")
site.register(Notification, NotificationAdmin)


@admin.register(Ticket, TicketProxy, ByUUID, site=site)
class RecordAdmin(MessagesMixin, admin.ModelAdmin):
    pass


@admin.register(Customer, site=site)
class PersonAdmin(MessagesMixin, admin.ModelAdmin):
    chatitive_phone_number = "phone"
    change_form_template = "desk/own_form.html"


@admin.register(Agent, site=site)
class MistakenAdmin(MessagesMixin, admin.ModelAdmin):
    chatitive_phone_number = "name.phnoe"  # which no check can know


bare = admin.AdminSite("bare")
bare.register(Ticket, RecordAdmin)

urlpatterns = [path("admin/", site.urls), path("bare/", bare.urls)]


def form_of(record, root="admin"):
    opts = record._meta
    return f"/{root}/{opts.app_label}/{opts.model_name}/{quote(record.pk)}/change/"


def messages_of(record, root="admin"):
    return form_of(record, root).replace("/change/", "/messages/")


@pytest.fixture
def boss(admin_user):
    """May do everything."""
    return logged_in(admin_user)


def member(*names):
    """A member of staff with these permissions."""
    user = StaffFactory()
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    return logged_in(user)


@pytest.mark.parametrize("model", [Ticket, TicketProxy, ByUUID])
def test_a_record_has_its_messages_newest_first(model, boss):
    record = TicketFactory() if issubclass(model, Ticket) else ByUUID.objects.create()
    record = model.objects.get(pk=record.pk)
    label = (record._meta.concrete_model)._meta.label_lower
    now = timezone.now()
    for minutes, name in [(9, "First"), (5, "Second"), (1, "Third")]:
        NotificationFactory(
            event_name=name,
            source_model=label,
            source_id=str(record.pk),
            created_at=now - timedelta(minutes=minutes),
        )
    NotificationFactory(event_name="Other", source_model=label, source_id="0")
    assert f'href="{messages_of(record)}"' in text_of(boss.get(form_of(record)))
    text = text_of(boss.get(messages_of(record)))
    assert text.index("Third") < text.index("Second") < text.index("First")
    assert "Other" not in text


def test_a_person_has_the_messages_to_their_number_in_any_spelling(boss):
    customer = CustomerFactory(phone="(206) 555-0142")
    ticket = TicketFactory(customer=customer)
    NotificationFactory(event_name="Wanted", phone_number="206-555-0142", ticket=ticket)
    NotificationFactory(event_name="Other", phone_number="206-555-0143")
    text = text_of(boss.get(messages_of(customer)))
    assert "Wanted" in text
    assert str(ticket) in text
    assert "Other" not in text


def test_a_person_without_a_number_has_nobodys_messages(boss):
    NotificationFactory(event_name="Other", phone_number=None, subscriber_key="")
    text = text_of(boss.get(messages_of(CustomerFactory(phone=""))))
    assert "No messages yet" in text
    assert "Other" not in text


def test_a_path_that_leads_nowhere_says_so_to_those_who_can_mend_it(boss):
    agent = Agent.objects.create(name="Pam")
    text = text_of(boss.get(messages_of(agent)))
    assert "str has no &#x27;phnoe&#x27;" in text


def test_the_form_that_the_admin_has_already_stays(boss):
    text = text_of(boss.get(form_of(CustomerFactory())))
    assert "Our own form" in text
    assert "A button of our own" in text
    assert "/messages/" in text


def test_the_number_is_masked_and_the_button_there_for_those_who_may(boss):
    customer = CustomerFactory(phone="206-555-0142")
    row = NotificationFactory(status=Status.REJECTED, phone_number="206-555-0142")
    resend = f"/admin/chatitive_django/notification/{row.pk}/resend/"
    looks = member("view_notification", "view_customer")
    text = text_of(looks.get(messages_of(customer)))
    assert "…0142" in text
    assert "206-555" not in text
    assert resend not in text
    resends = member("view_notification", "view_customer", "resend_notification")
    assert resend in text_of(resends.get(messages_of(customer)))
    assert resend in text_of(boss.get(messages_of(customer)))


@pytest.mark.parametrize("names", [["view_customer"], ["view_notification"], []])
def test_it_takes_both_permissions(names):
    customer = CustomerFactory()
    client = member(*names)
    assert client.get(messages_of(customer)).status_code == 403
    if "view_customer" in names:
        assert "/messages/" not in text_of(client.get(form_of(customer)))


def test_a_record_that_is_not_there_is_not_found(boss):
    for key in ["404", "none", "9" * 40]:
        assert boss.get(f"/admin/desk/ticket/{key}/messages/").status_code == 404


def test_script_in_a_record_or_event_stays_text(boss):
    ticket = TicketFactory(title=SCRIPT)
    NotificationFactory(ticket=ticket, event_name=SCRIPT, phone_number=SCRIPT, subscriber_key="x")
    assert SCRIPT not in text_of(boss.get(messages_of(ticket)))


def test_the_pages_are_bounded_and_lead_to_each_other(boss):
    ticket = TicketFactory()
    for n in range(60):
        NotificationFactory(ticket=ticket, event_name=f"Event{n:02}", created_at=timezone.now())
    first = text_of(boss.get(messages_of(ticket)))
    assert first.count("Event") == 25
    assert 'href="?p=1"' in first
    last = text_of(boss.get(messages_of(ticket) + "?p=2"))
    assert last.count("Event") == 10
    assert 'href="?p=1"' in last
    assert 'href="?p=3"' not in last
    for number in ["99999999", "9" * 50, "-1", "x", "²"]:
        text_of(boss.get(messages_of(ticket), {"p": number}))


def test_the_number_of_queries_does_not_grow_with_the_messages(boss):
    def cost(address):
        with CaptureQueriesContext(connection) as queries:
            text_of(boss.get(address))
        return len(queries)

    ticket = TicketFactory()
    NotificationFactory(ticket=ticket, status=Status.REJECTED)
    few = cost(messages_of(ticket))
    NotificationFactory.create_batch(9, ticket=ticket, status=Status.REJECTED)
    assert cost(messages_of(ticket)) == few <= 5


def test_neither_the_list_nor_the_form_asks_a_query_more(boss):
    def asked(address):
        with CaptureQueriesContext(connection) as queries:
            text_of(boss.get(address))
        return [query["sql"] for query in queries if "chatitive_django_" in query["sql"]]

    ticket = TicketFactory()
    NotificationFactory(ticket=ticket)
    assert asked("/admin/desk/ticket/") == []
    assert asked(form_of(ticket)) == []


def test_a_site_without_the_log_shows_the_messages_without_links(boss):
    ticket = TicketFactory()
    NotificationFactory(ticket=ticket, event_name="Wanted", status=Status.REJECTED)
    text = text_of(boss.get(messages_of(ticket, "bare")))
    assert "Wanted" in text
    assert "/notification/" not in text


def test_to_look_changes_nothing(boss):
    ticket = TicketFactory()
    NotificationFactory(ticket=ticket)
    before = list(Notification.objects.values())
    for method in [boss.get, boss.post, boss.head]:
        method(messages_of(ticket))
    assert list(Notification.objects.values()) == before
