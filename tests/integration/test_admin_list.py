"""The list of the log: what stands above it, what it shows, and what it lets people do."""

from __future__ import annotations

import csv
import html
import io
import re
import socket
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chatitive_django.admin import export, paging
from chatitive_django.admin.paging import LogPaginator, estimate
from chatitive_django.channels import open_breaker, pause
from chatitive_django.dbtime import DatabaseNow
from chatitive_django.models import Channel, EventRule, Heartbeat, Notification, ResendBatch
from chatitive_django.resend import version
from tests.factories import AttemptFactory, NotificationFactory, StaffFactory, TicketFactory
from tests.fault_server import FaultServer

pytestmark = pytest.mark.django_db

Status = Notification.Status

LIST = "/admin/chatitive_django/notification/"
TEST, RESEND = f"{LIST}test-connection/", f"{LIST}resend-incident/"


def logged_in(user, **options):
    client = Client(**options)
    client.force_login(user)
    return client


@pytest.fixture
def boss(admin_user):
    return logged_in(admin_user)


@pytest.fixture
def viewer():
    return logged_in(StaffFactory())


@pytest.fixture
def clerk():
    """May resend."""
    return logged_in(StaffFactory(may=["resend_notification"]))


@pytest.fixture
def well():
    """Something delivers."""
    return Heartbeat.objects.create(
        kind="worker",
        host="a",
        pid=1,
        concurrency=1,
        started_at=DatabaseNow(),
        seen_at=DatabaseNow(),
    )


def text_of(response):
    assert response.status_code == 200
    return response.content.decode()


def words_of(response):
    """A page's text without its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text_of(response)))


def told(response):
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def listed(client, query=""):
    """The ids of the rows that are shown."""
    text = text_of(client.get(LIST + query))
    return {int(pk) for pk in re.findall(rf'href="{LIST}(\d+)/change/', text)}


def ago(**span):
    return timezone.now() - timedelta(**span)


def untouched():
    return (
        list(Notification.objects.order_by("pk").values()),
        LogEntry.objects.count(),
        ResendBatch.objects.count(),
    )


# What stands above it.


def test_all_well_is_one_quiet_line(viewer, well):
    NotificationFactory.create_batch(123, status=Status.ACCEPTED)
    NotificationFactory.create_batch(2, status=Status.REJECTED)
    AttemptFactory(duration_ms=210)
    words = words_of(viewer.get(LIST))
    assert "Healthy: 98.4% accepted in 24 h, median 210 ms." in words
    assert "Someone must act" not in words


def test_an_idle_day_is_healthy_and_one_failure_is_no_hundred_percent(viewer, well):
    assert "Healthy: nothing had to be sent in the last 24 hours." in words_of(viewer.get(LIST))
    cache.clear()
    NotificationFactory.create_batch(2000, status=Status.ACCEPTED)
    NotificationFactory(status=Status.EXPIRED)
    assert "Healthy: 99.9% accepted in 24 h." in words_of(viewer.get(LIST))


def test_what_someone_must_act_on_is_told_with_the_way_there(boss, viewer, well):
    NotificationFactory()
    pause("default", reason="Wrong text")
    words = words_of(boss.get(LIST))
    assert "Someone must act" in words
    assert "Channel default is paused since" in words
    assert "1 message waits, and it isn&#x27;t lost." in words
    assert "Healthy" not in words
    assert (
        "/admin/chatitive_django/channel/" in text_of(boss.get(LIST)).partition("chatitive-act")[2]
    )
    assert "/admin/chatitive_django/channel/" not in text_of(viewer.get(LIST))


def test_what_waits_for_a_channel_that_is_gone_is_told(boss, well):
    assert "Healthy" in text_of(boss.get(LIST))
    NotificationFactory.create_batch(2, channel="sold")
    words = words_of(boss.get(LIST))
    assert "Channel sold is not in CHATITIVE[&quot;API_URLS&quot;]. 2 messages wait" in words


def test_refused_credentials_nothing_that_delivers_and_doubts_are_told(viewer, settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker"}
    open_breaker("default", "http_401", timedelta(seconds=30))
    NotificationFactory(status=Status.UNKNOWN)
    words = words_of(viewer.get(LIST))
    assert "Chatitive refused the account SID or the token (401)." in words
    assert "No worker is alive, so nothing is delivered." in words
    assert "1 message may have arrived." in words
    assert "?status__exact=unknown&amp;when=all" in text_of(viewer.get(LIST))


def test_settings_that_can_not_be_read_are_told_without_their_url(viewer, settings):
    settings.CHATITIVE = {"API_URLS": "chatitive://SID:TOKEN@api.essential.to/x"}
    text = text_of(viewer.get(LIST))
    assert "The settings of CHATITIVE can&#x27;t be used, so nothing is delivered." in text
    assert "TOKEN" not in text


@pytest.mark.parametrize(
    "broken",
    [
        {"API_URLS": "chatitive://SID:TOKEN@api.essential.to/x"},
        {"PHONE_REGION": 7},
        {"EXPIRES_AFTER": "soon"},
        {"API_TEST_NUMBERS": 5},
    ],
)
def test_settings_that_can_not_be_read_break_no_page(boss, settings, broken):
    row = NotificationFactory(status=Status.REJECTED, ticket=TicketFactory(status="Success"))
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://"}, "DISPATCHER": "worker", **broken}
    channels, act = "/admin/chatitive_django/channel/", f"{LIST}{row.pk}/resend/"
    pages = [LIST, f"{LIST}?q=2065550142", f"{LIST}{row.pk}/change/", act, channels]
    pages += [
        f"{channels}default/send-test/",
        f"{LIST}explain/?model=desk.ticket&pk={row.source_id}",
    ]
    for page in pages:
        assert "TOKEN" not in text_of(boss.get(page))
    forms = [(act, {"seen": version(row)}), (f"{channels}default/pause/", {}), (TEST, {})]
    answers = [boss.post(page, {"channel": "default", **form}) for page, form in forms]
    assert {answer.status_code for answer in answers} <= {200, 302}
    texts = [words_of(answer) for answer in answers if answer.status_code == 200]
    assert all("`manage.py check` says what is wrong with them." in text for text in texts)


def test_the_last_seven_days_are_drawn_and_told(viewer):
    NotificationFactory.create_batch(3, status=Status.ACCEPTED, created_at=timezone.now())
    text = text_of(viewer.get(LIST))
    assert 'role="img"' in text
    assert "3 accepted" in text


# Incidents.


def failed(count, **values):
    made = {"status": Status.REJECTED, "reason": "http_404", "created_at": ago(hours=2), **values}
    return NotificationFactory.create_batch(count, **made)


def cause(rows):
    last = rows[-1]
    return {
        "status": last.status,
        "reason": last.reason,
        "channel": last.channel,
        "highest_id": str(last.pk),
    }


def test_failures_are_told_by_their_cause_the_largest_first(viewer):
    failed(4)
    failed(3, status=Status.INVALID, reason="no_subscriber")
    failed(6, status=Status.EXPIRED, reason="too_late")
    failed(5, status=Status.UNKNOWN, reason="no_answer")
    failed(9, created_at=ago(days=4))
    failed(2, reason="http_400")
    words = words_of(viewer.get(LIST))
    tiles = re.findall(r"(\d+) × (\w+)", words)
    assert tiles == [("6", "expired"), ("5", "unknown"), ("4", "rejected")]
    assert "Chatitive doesn&#x27;t know this channel or address (404)." in words


def test_two_failures_and_what_was_mended_are_no_incident(viewer):
    failed(2)
    for row in failed(3, status=Status.INVALID, reason="no_subscriber"):
        NotificationFactory(status=Status.ACCEPTED, resend_of=row)
    assert " × " not in words_of(viewer.get(LIST))


def test_resend_is_offered_only_when_the_connection_works(clerk, settings):
    rows = failed(4)
    assert "Test the connection" in text_of(clerk.get(LIST))
    assert "Resend these" not in text_of(clerk.get(LIST))
    with socket.socket() as closed:
        closed.bind(("localhost", 0))
        url = f"chatitive+http://SID:TOKEN@localhost:{closed.getsockname()[1]}/CHANNEL"
        settings.CHATITIVE = {"API_URLS": {"default": url}, "DISPATCHER": "worker"}
        response = clerk.post(TEST, {"channel": "default"})
    assert "was not reached" in told(response)
    assert "was not reached" in LogEntry.objects.get().get_change_message()
    assert "TOKEN" not in told(response)
    assert "Resend these" not in text_of(clerk.get(LIST))
    assert "Test the connection first" in told(clerk.post(RESEND, cause(rows)))
    assert not ResendBatch.objects.exists()

    with FaultServer() as server:
        url = f"chatitive+http://SID:TOKEN@localhost:{server.port}/CHANNEL"
        settings.CHATITIVE = {"API_URLS": {"default": url}, "DISPATCHER": "worker"}
        assert "was reached" in told(clerk.post(TEST, {"channel": "default"}))
        assert server.requests == []
    text = text_of(clerk.get(LIST))
    assert "Resend these 4…" in text
    form = dict(re.findall(r'name="(status|reason|channel|highest_id)" value="([^"]*)"', text))
    assert form == cause(rows)
    later = failed(1)
    response = clerk.post(RESEND, form)
    batch = ResendBatch.objects.get()
    assert response.url == f"{LIST}resend-many/{batch.pk}/"
    chosen = set(batch.rows.values_list("notification", flat=True))
    assert chosen == {row.pk for row in rows}
    assert later[0].pk not in chosen
    assert "All that failed so" in text_of(clerk.get(response.url))


def test_a_test_that_is_long_past_counts_no_more(clerk, monkeypatch):
    rows = failed(3)
    clerk.post(TEST, {"channel": "default"})
    assert "Resend these 3…" in text_of(clerk.get(LIST))
    monkeypatch.setattr("chatitive_django.admin.incidents.TESTED_FOR", timedelta(0))
    assert "Resend these" not in text_of(clerk.get(LIST))
    clerk.post(RESEND, cause(rows))
    assert not ResendBatch.objects.exists()


def test_what_could_not_be_built_needs_no_connection(clerk):
    rows = failed(3, status=Status.INVALID, reason="no_subscriber")
    text = text_of(clerk.get(LIST))
    assert "Test the connection" not in text
    assert "Resend these 3…" in text
    assert "/resend-many/" in clerk.post(RESEND, cause(rows)).url


def test_what_a_record_is_at_fault_for_is_mended_there_and_not_resent_as_it_was(clerk):
    failed(3, reason="http_412")
    clerk.post(TEST, {"channel": "default"})
    text = text_of(clerk.get(LIST))
    assert "Mend the records first, then resend each, rebuilt from today&#x27;s data." in text
    assert "Test the connection" not in text
    assert "Resend these" not in text


def test_a_tile_shows_exactly_the_rows_that_it_counts(viewer):
    refused, landlines = failed(5), failed(4, reason="http_412")
    elsewhere = failed(3, channel="sales")
    failed(1, created_at=ago(days=5))
    NotificationFactory(status=Status.ACCEPTED, resend_of=failed(1)[0])
    links = re.findall(r'<a href="(\?[^"]*failed_for=[^"]*)">', text_of(viewer.get(LIST)))
    shown = [listed(viewer, html.unescape(link)) for link in links]
    assert shown == [{row.pk for row in rows} for rows in (refused, landlines, elsewhere)]
    assert "failed lately: " in words_of(viewer.get(LIST + html.unescape(links[0])))


@pytest.mark.parametrize(
    "wrong",
    [{"status": "nonsense"}, {"highest_id": "x"}, {"highest_id": "9" * 40}, {"highest_id": ""}],
)
def test_an_incident_that_is_none_is_not_found(wrong, clerk):
    assert clerk.post(RESEND, {**cause(failed(3)), **wrong}).status_code == 404


def test_only_channels_of_the_settings_are_tested(clerk):
    assert clerk.post(TEST, {"channel": "http://elsewhere"}).status_code == 404


def test_view_only_staff_do_nothing_from_the_list_and_are_offered_nothing(viewer):
    rows = failed(3)
    before = untouched()
    text = text_of(viewer.get(LIST))
    assert "Test the connection" not in text
    assert "Resend" not in text.partition("<main")[2].replace("Resend failed since…", "")
    assert 'name="action"' not in text
    for address, form in [(TEST, {"channel": "default"}), (RESEND, cause(rows))]:
        assert viewer.post(address, form).status_code == 403
    for action in ["resend_many", "cancel_many", "export_csv"]:
        form = {"action": action, "_selected_action": [row.pk for row in rows], "index": 0}
        response = viewer.post(LIST, form)
        assert "text/csv" not in response["Content-Type"]
    assert untouched() == before


def test_to_look_changes_nothing_and_a_forged_post_is_refused(admin_user):
    rows = failed(3)
    client = logged_in(admin_user, enforce_csrf_checks=True)
    before = untouched()
    for address in [TEST, RESEND]:
        assert client.get(address).status_code == 405
        assert client.post(address, {"channel": "default", **cause(rows)}).status_code == 403
    client.get(f"{LIST}?action=export_csv&_selected_action={rows[0].pk}&index=0")
    client.get(LIST)
    assert untouched() == before


def test_a_draft_of_someone_else_is_refused(clerk):
    clerk.post(RESEND, cause(failed(3, status=Status.INVALID, reason="no_subscriber")))
    other = logged_in(StaffFactory(may=["resend_notification"]))
    address = f"{LIST}resend-many/{ResendBatch.objects.get().pk}/"
    assert other.get(address).status_code == 403
    assert other.post(address, {"sort": ["fresh"], "pace": "60", "reason": "x"}).status_code == 403


# What it shows.


def test_a_row_tells_what_it_is_of_and_when_it_is_tried_next(boss):
    ticket = TicketFactory()
    soon = timezone.now() + timedelta(hours=2)
    NotificationFactory(ticket=ticket, attempts=2, reason="http_503", available_at=soon)
    text = text_of(boss.get(LIST))
    assert (
        'title="When a Ticket&#x27;s status changes to Success, send RequestSupportFeedback' in text
    )
    assert '<td class="field-tries">2</td>' in text
    assert f'<td class="field-next_due">{timezone.localtime(soon):%H:%M:%S}</td>' in text
    assert "Chatitive is unavailable for now (503)." in text


def test_a_resend_is_offered_to_those_alone_who_may(clerk, boss):
    row = NotificationFactory(status=Status.INVALID, ticket=TicketFactory())
    link = f"{LIST}{row.pk}/resend/"
    assert link in text_of(clerk.get(LIST))
    NotificationFactory(status=Status.ACCEPTED, resend_of=row)
    assert link not in text_of(clerk.get(LIST))
    assert link in text_of(boss.get(LIST))


def test_a_row_of_a_rule_tells_the_rule(boss):
    rule = EventRule.objects.create(
        name="Won",
        model="desk.lead",
        trigger="created",
        event_name="Won",
        phone_number="customer.phone",
    )
    NotificationFactory(rule=rule, source_model="desk.lead", event_key=rule.key)
    assert "When a Lead is created, send Won to customer.phone." in text_of(boss.get(LIST))


def test_the_number_of_queries_grows_neither_with_rows_nor_with_rules_and_incidents(boss, well):
    def cost():
        with CaptureQueriesContext(connection) as queries:
            text_of(boss.get(LIST))
        return len(queries)

    def add(count):
        for n in range(count):
            name = f"rule {EventRule.objects.count()}"
            rule = EventRule.objects.create(
                name=name, model="desk.lead", trigger="created", event_name="Won", phone_number="x"
            )
            NotificationFactory(rule=rule, source_model="desk.lead", event_key=rule.key)
            NotificationFactory(ticket=TicketFactory())
            failed(3, reason=f"http_4{n}0")

    add(2)
    cost()
    few = cost()
    add(5)
    assert cost() == few <= 22


def test_only_the_last_week_is_shown_until_all_time_is_asked_for(viewer):
    old = NotificationFactory(created_at=ago(days=8))
    new = NotificationFactory()
    text = text_of(viewer.get(LIST))
    assert "Shown: The last 7 days." in text
    assert '<a href="?when=all">Look at all time</a>' in text
    assert listed(viewer) == {new.pk}
    assert listed(viewer, "?when=all") == {new.pk, old.pk}
    assert "The whole log is shown." in text_of(viewer.get(f"{LIST}?when=all"))


@pytest.mark.parametrize("by", ["pk", "public_id", "phone_number", "event_name"])
def test_a_search_hides_no_older_rows_and_says_so(by, viewer):
    old = NotificationFactory(created_at=ago(days=300), event_name="Ancient")
    NotificationFactory(event_name="Other")
    response = viewer.get(LIST, {"q": getattr(old, by)})
    assert f"{LIST}{old.pk}/change/" in text_of(response)
    assert "The whole log is looked through" in text_of(response)
    response = viewer.get(LIST, {"q": getattr(old, by), "when": "7d"})
    assert f"{LIST}{old.pk}/change/" not in text_of(response)


def test_the_time_is_a_filter_by_span_and_by_days(viewer):
    today = timezone.localdate()
    rows = [NotificationFactory(created_at=ago(hours=hours)) for hours in (0, 30, 24 * 10, 24 * 40)]
    ids = [row.pk for row in rows]
    assert listed(viewer, "?when=1h") == set(ids[:1])
    assert listed(viewer, "?when=24h") == set(ids[:1])
    assert listed(viewer, "?when=30d") == set(ids[:3])
    day = timezone.localtime(rows[2].created_at).date()
    assert listed(viewer, f"?from={day}&until={day}") == {ids[2]}
    assert listed(viewer, f"?from={day}") == set(ids[:3])
    assert listed(viewer, f"?until={day}") == set(ids[2:])
    text = text_of(viewer.get(f"{LIST}?from={today}&status__exact=pending"))
    assert '<input type="hidden" name="status__exact" value="pending">' in text
    assert f'value="{today}"' in text


@pytest.mark.parametrize(
    "query", ["when=ever", "from=yesterday", "until=2026-02-31", "from=9999-12-31", "rule=x"]
)
def test_a_filter_that_can_not_be_read_is_dropped(query, viewer):
    assert viewer.get(f"{LIST}?{query}").url == f"{LIST}?e=1"


NUL = "%00"


@pytest.mark.parametrize(
    "address",
    [
        *(f"notification/?{name}={NUL}" for name in ("status__exact", "event", "channel")),
        f"notification/?origin__exact=a{NUL}b",
        f"resendbatch/?reason__startswith={NUL}",
        f"resendbatch/?state={NUL}",
    ],
)
def test_what_no_database_can_look_for_breaks_no_list(viewer, address):
    assert viewer.get(f"/admin/chatitive_django/{address}").status_code in {200, 302}


def test_what_no_database_can_store_breaks_no_act(boss):
    row = NotificationFactory()
    boss.post(f"{LIST}{row.pk}/cancel/", {"seen": version(row), "reason": "a\0b"})
    assert "The reason given: ab" in LogEntry.objects.get().get_change_message()
    boss.post("/admin/chatitive_django/channel/default/pause/", {"reason": "c\0d"})
    assert Channel.objects.get().pause_reason == "cd"
    boss.post(RESEND, {"status": "invalid", "reason": "\0", "channel": "\0", "highest_id": "5"})
    assert not ResendBatch.objects.exists()


def test_the_filters_find_what_they_say(viewer, settings):
    settings.CHATITIVE = {"API_URLS": {"default": "locmem://", "offers": "locmem://"}}
    rule = EventRule.objects.create(name="Won", model="desk.lead", event_name="LeadWon")
    wanted = NotificationFactory(
        status=Status.UNKNOWN, event_name="LeadWon", rule=rule, channel="offers", origin="manual"
    )
    NotificationFactory()
    text = text_of(viewer.get(LIST))
    for query in [
        "status__exact=unknown",
        "event=LeadWon",
        f"rule={rule.pk}",
        "channel=offers",
        "origin__exact=manual",
    ]:
        assert f'href="?{query}"' in text
        assert listed(viewer, f"?{query}") == {wanted.pk}
    assert listed(viewer, "?event=NoLongerDeclared") == set()


def test_the_choices_of_the_filters_are_no_scan_of_the_log(viewer):
    NotificationFactory()
    with CaptureQueriesContext(connection) as queries:
        text_of(viewer.get(LIST))
    assert not any("DISTINCT" in query["sql"] for query in queries)


def test_what_needs_attention_is_what_stands_still_or_failed_and_was_not_mended(viewer):
    wanted = {
        NotificationFactory(status=status).pk
        for status in (Status.UNKNOWN, Status.REJECTED, Status.INVALID)
    }
    wanted.add(NotificationFactory(available_at=ago(minutes=6)).pk)
    wanted.add(NotificationFactory(status=Status.SENDING, leased_until=ago(minutes=6)).pk)
    mended = NotificationFactory(status=Status.INVALID)
    NotificationFactory(status=Status.ACCEPTED, resend_of=mended)
    NotificationFactory(available_at=timezone.now())
    NotificationFactory(status=Status.SENDING, leased_until=timezone.now() + timedelta(minutes=2))
    NotificationFactory(status=Status.EXPIRED)
    assert listed(viewer, "?status__exact=attention") == wanted
    pause("default")
    assert len(listed(viewer, "?status__exact=attention")) == len(wanted) - 1


def test_older_notifications_that_the_time_hides_are_told(viewer):
    old = NotificationFactory(created_at=ago(days=30))
    text = text_of(viewer.get(LIST))
    assert "Nothing was recorded in the last 7 days" in text
    assert "Nothing has been recorded yet" not in text
    text = text_of(viewer.get(f"{LIST}?status__exact=pending"))
    assert "No notification of the last 7 days matches" in text
    assert 'href="?status__exact=pending&amp;when=all"' in text
    assert listed(viewer, "?status__exact=pending&when=all") == {old.pk}


def test_filters_that_hide_what_is_searched_are_told(viewer):
    NotificationFactory(event_name="Here")
    text = text_of(viewer.get(f"{LIST}?q=Here&status__exact=unknown"))
    assert "Search without the filters" in text
    assert 'href="?q=Here"' in text


# Counts.


def test_what_is_filtered_is_counted_so_far_and_no_further(viewer, monkeypatch):
    monkeypatch.setattr(paging, "COUNTED", 3)
    NotificationFactory.create_batch(5)
    paginator = LogPaginator(Notification.objects.filter(status=Status.PENDING).order_by("-pk"), 2)
    assert (paginator.count, paginator.is_cut, paginator.is_estimate) == (3, True, False)
    assert "More match: only the first" in text_of(viewer.get(LIST))
    few = LogPaginator(Notification.objects.filter(pk=0).order_by("-pk"), 2)
    assert (few.count, few.is_cut) == (0, False)


def test_all_of_a_large_log_is_estimated(monkeypatch):
    rows = Notification.objects.order_by("-pk")
    NotificationFactory.create_batch(8)
    monkeypatch.setattr(paging, "COUNTED", 3)
    monkeypatch.setattr(paging, "estimate", lambda rows: 1_000_000)
    paginator = LogPaginator(rows, 2)
    assert (paginator.count, paginator.is_estimate, paginator.is_cut) == (1_000_000, True, False)


def test_the_estimate_is_one_cheap_query(django_assert_num_queries):
    NotificationFactory.create_batch(8)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ANALYZE {Notification._meta.db_table}")
    with django_assert_num_queries(1):
        about = estimate(Notification.objects.all())
    assert about == 8 or connection.vendor == "mysql"  # whose statistics come later


def test_an_empty_log_is_counted():
    assert LogPaginator(Notification.objects.order_by("-pk"), 2).count == 0


# Export.


def exported(client, rows, **more):
    form = {"action": "export_csv", "_selected_action": [row.pk for row in rows], "index": 0}
    return client.post(LIST + more.pop("query", ""), {**form, **more})


def table(response):
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    text = response.getvalue().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def exporter():
    return StaffFactory(may=["export_notification"])


def test_what_is_ticked_is_exported_and_who_did_is_kept(exporter):
    rows = [NotificationFactory(ticket=TicketFactory()), NotificationFactory(status=Status.UNKNOWN)]
    NotificationFactory()
    response = exported(logged_in(exporter), rows)
    assert "attachment" in response["Content-Disposition"]
    lines = table(response)
    assert [line["id"] for line in lines] == [str(rows[1].pk), str(rows[0].pk)]
    assert lines[0]["status"] == "unknown"
    assert lines[1]["about"] == f"{rows[0].source_name}"
    (entry,) = LogEntry.objects.all()
    assert entry.user == exporter
    assert entry.get_change_message() == "Exported 2 notifications (ticked)."


def test_all_that_match_are_exported_beyond_the_page(exporter, monkeypatch):
    monkeypatch.setattr(export, "AT_ONCE", 7)
    rows = NotificationFactory.create_batch(40, status=Status.REJECTED)
    NotificationFactory()
    query = "?status__exact=rejected"
    response = exported(logged_in(exporter), rows[:1], select_across=1, query=query)
    assert {line["id"] for line in table(response)} == {str(row.pk) for row in rows}
    (entry,) = LogEntry.objects.all()
    assert "status = rejected" in entry.get_change_message()
    assert "The last 7 days" in entry.get_change_message()


def test_too_many_are_not_exported(exporter, monkeypatch):
    monkeypatch.setattr(export, "AT_MOST", 2)
    response = exported(logged_in(exporter), NotificationFactory.create_batch(3))
    assert "More than 2 notifications match." in told(response)
    assert not LogEntry.objects.exists()


def test_numbers_are_exported_whole_for_those_alone_who_may_see_them(exporter):
    row = NotificationFactory(
        phone_number="206-555-0142",
        source_name="Kim, 206-555-0142",
        payload={"secret": "of the payload"},
    )
    (line,) = table(exported(logged_in(exporter), [row]))
    assert (line["to"], line["about"]) == ("…0142", "Kim, …0142")
    whole = logged_in(StaffFactory(may=["export_notification", "view_payload"]))
    response = exported(whole, [row])
    (line,) = table(response)
    assert (line["to"], line["about"]) == ("206-555-0142", "Kim, 206-555-0142")
    assert "of the payload" not in response.getvalue().decode()


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(begin, exporter):
    text = f"{begin}cmd|' /C calc'!A0"
    row = NotificationFactory(
        event_name=text, source_name=text, source_model=text, source_id=text, explanation=text
    )
    response = exported(logged_in(exporter), [row])
    (line,) = csv.DictReader(io.StringIO(response.getvalue().decode("utf-8-sig"), newline=""))
    for name in ["event", "about", "model", "record", "reason"]:
        assert line[name] == f"'{text}", name


def test_script_in_what_is_listed_or_asked_for_stays_text(boss):
    script = "<script>alert('x')</script>"
    EventRule.objects.create(name=script, model="desk.lead", event_name=script)
    failed(3, reason=script, channel=script, event_name=script, event_key=script)
    for query in ["", f"?event={script}", f"?q={script}", f"?channel={script}"]:
        assert "<script>alert" not in text_of(boss.get(LIST + query))
