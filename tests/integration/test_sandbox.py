"""The sandbox, as a client and as a person meets it."""

from __future__ import annotations

import base64
import json
import re
import sys

import pytest
import requests
from django.core import checks
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.urls import reverse

from chatitive_django.sandbox import liquid
from chatitive_django.sandbox.assumptions import HEADER, Assumption
from chatitive_django.sandbox.models import (
    Account,
    Channel,
    Message,
    ReceivedEvent,
    Subscriber,
    Workflow,
    WorkflowExecution,
)
from chatitive_django.sandbox.vendor_example import (
    CHANNEL_SID,
    add_subscriber,
    install_vendor_example,
)

pytestmark = pytest.mark.django_db

ACCOUNT = "AccountAccountAccountA"
TOKEN = "a token: with a colon and an ü"
SAMPLE = {
    "event_name": "RequestSupportFeedback",
    "phone_number": "555-555-5555",
    "allow_new": False,
    "subscribe_new": False,
    "payload": {
        "ticket_url": "https://support.yourcompany.com/tickets/12345",
        "ticket_status": "Success",
        "cs_agent_name": "Pam",
    },
}
TEXT = "Hi Ada, how was your interaction with Pam? https://support.yourcompany.com/tickets/12345"


def basic(account_sid=ACCOUNT, token=TOKEN):
    return "Basic " + base64.b64encode(f"{account_sid}:{token}".encode()).decode()


@pytest.fixture
def channel():
    return install_vendor_example(account_sid=ACCOUNT, token=TOKEN)


@pytest.fixture
def ada(channel):
    return add_subscriber(channel, "555-555-5555", first_name="Ada")


@pytest.fixture
def workflow(channel):
    return channel.workflows.get()


@pytest.fixture
def notify(client, channel):
    """Send the vendor's sample with some of its parameters changed."""

    def notify(*, without=(), sid=channel.sid, key=None, authorization=None, **changes):
        body = {name: value for name, value in SAMPLE.items() if name not in without}
        headers = {"Authorization": authorization or basic()}
        if key:
            headers["Idempotency-Key"] = key
        return client.post(
            reverse("chatitive_sandbox:notify", args=[sid]),
            data=json.dumps({**body, **changes}),
            content_type="application/json",
            headers=headers,
        )

    return notify


@pytest.fixture
def send_raw(client, channel):
    def send_raw(body):
        return client.post(
            reverse("chatitive_sandbox:notify", args=[channel.sid]),
            data=body,
            content_type="application/json",
            headers={"Authorization": basic()},
        )

    return send_raw


@pytest.fixture
def allowed(settings):
    settings.CHATITIVE_SANDBOX_ALLOWED = True


def assumed(response):
    return response.headers.get(HEADER, "").split(", ")


def last_event():
    return ReceivedEvent.objects.latest("id")


# The vendor's example, over real HTTP.


@pytest.mark.django_db(transaction=True)
def test_the_vendors_example_runs_whole(live_server, settings):
    settings.CHATITIVE_SANDBOX_ALLOWED = True
    channel = install_vendor_example(account_sid=ACCOUNT, token=TOKEN)
    add_subscriber(channel, "555-555-5555", first_name="Ada")
    url = live_server.url + reverse("chatitive_sandbox:notify", args=[CHANNEL_SID])

    response = requests.post(url, json=SAMPLE, auth=(ACCOUNT, TOKEN.encode()), timeout=10)

    assert response.status_code == 202
    assert HEADER not in response.headers
    message = Message.objects.get()
    assert (message.phone_number, message.body) == ("+15555555555", TEXT)
    inbox = requests.get(live_server.url + reverse("chatitive_sandbox:inbox"), timeout=10)
    assert "Hi Ada, how was your interaction with Pam?" in inbox.text


@pytest.mark.django_db(transaction=True)
def test_a_wrong_token_is_turned_away_over_http(live_server):
    install_vendor_example(account_sid=ACCOUNT, token=TOKEN)
    url = live_server.url + reverse("chatitive_sandbox:notify", args=[CHANNEL_SID])

    response = requests.post(url, json=SAMPLE, auth=(ACCOUNT, "wrong"), timeout=10)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert not ReceivedEvent.objects.exists()


# The call.


def test_the_path_is_the_vendors():
    assert reverse("chatitive_sandbox:notify", args=[CHANNEL_SID]).endswith(
        f"/v2/account/channels/{CHANNEL_SID}/subscribers/events/notify"
    )


@pytest.mark.parametrize(
    "authorization",
    [
        basic(token="wrong"),
        basic(token=""),
        basic(account_sid=ACCOUNT.lower()),
        basic(account_sid="nobody"),
        basic(account_sid="\x00"),
        "Basic !!!",
        "Basic //79",
        f"Bearer {TOKEN.encode().hex()}",
        "Basic",
    ],
)
def test_wrong_credentials_are_a_401_and_leave_nothing(notify, authorization):
    response = notify(authorization=authorization)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert assumed(response) == ["wrong-credentials"]
    assert not ReceivedEvent.objects.exists()


def test_an_account_without_token_lets_nobody_in(notify, channel):
    Account.objects.update(token="")
    assert notify(authorization=basic(token="")).status_code == 401


def test_no_credentials_are_a_401(client, channel):
    response = client.post(reverse("chatitive_sandbox:notify", args=[channel.sid]))
    assert response.status_code == 401


def test_the_call_needs_no_login_where_everything_else_does(notify, ada, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]
    assert notify().status_code == 202


def test_another_method_is_a_405(client, channel):
    response = client.get(
        reverse("chatitive_sandbox:notify", args=[channel.sid]), headers={"Authorization": basic()}
    )
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert assumed(response) == ["wrong-method"]


@pytest.mark.parametrize("sid", ["unknown", CHANNEL_SID.lower(), "%00", "\x00"])
def test_an_unknown_channel_is_a_404(notify, sid):
    response = notify(sid=sid)
    assert response.status_code == 404
    assert assumed(response) == ["unknown-channel"]
    assert last_event().outcome == "refused"


def test_another_accounts_channel_is_a_404(notify):
    other = install_vendor_example(account_sid="other", token="other", channel_sid="otherchannel")
    assert notify(sid=other.sid).status_code == 404


def test_sids_may_have_their_prefix(notify, ada):
    response = notify(
        sid=f"ch_{CHANNEL_SID}", without=["phone_number"], subscriber_sid=f"sub_{ada.sid}"
    )
    assert response.status_code == 202
    assert Message.objects.get().body == TEXT


def test_a_new_sid_is_16_bytes_of_unpadded_base64url(ada):
    assert re.fullmatch(r"[\w-]{22}", ada.sid)
    assert len(base64.urlsafe_b64decode(ada.sid + "==")) == 16


@pytest.mark.parametrize(
    ("changes", "assumption", "what"),
    [
        ({"without": ["event_name"]}, "malformed", "event_name is missing"),
        ({"event_name": 3}, "malformed", "event_name must be text, not a number"),
        ({"event_name": " "}, "malformed", "event_name is empty"),
        ({"event_name": "x" * 201}, "too-large", "longer than 200"),
        ({"without": ["phone_number"]}, "no-identifier", "Neither"),
        ({"subscriber_sid": "x"}, "both-identifiers", "both given"),
        ({"phone_number": 5555555555}, "malformed", "phone_number must be text, not a number"),
        ({"phone_number": None}, "malformed", "phone_number must be text, not null"),
        ({"phone_number": "555\n555"}, "malformed", "can't be seen"),
        ({"phone_number": "5" * 65}, "too-large", "longer than 64"),
        ({"allow_new": "true"}, "malformed", "allow_new must be true or false, not text"),
        ({"subscribe_new": 1}, "malformed", "subscribe_new must be true or false, not a number"),
        ({"subscribe_new": True}, "subscribe-new-alone", "allow_new is not"),
        ({"payload": ["a"]}, "malformed", "payload must be a dictionary, not a list"),
        ({"payload": None}, "malformed", "payload must be a dictionary, not null"),
        ({"payload": {"a": "\x00"}}, "malformed", "NUL"),
        ({"payload": {"\ud800": "a"}}, "malformed", "surrogate"),
        ({"payload": {"a": float("inf")}}, "malformed", "NaN"),
    ],
)
def test_a_call_that_means_nothing_is_a_400_that_says_why(notify, ada, changes, assumption, what):
    response = notify(**changes)
    assert response.status_code == 400
    assert what in response.json()["error"]
    assert assumed(response) == [assumption]
    event = last_event()
    assert (event.outcome, event.http_status) == ("refused", 400)
    assert what in event.explanation
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff", b'"text"', b"\x00", b'{"payload": 1e999}', b"[" * 100_000]
)
def test_a_body_that_is_no_dictionary_is_a_400_and_is_kept(send_raw, body):
    assert send_raw(body).status_code == 400
    assert last_event().outcome == "refused"


def test_a_payload_nested_without_end_is_refused(notify, ada):
    payload = {}
    for _ in range(40):
        payload = {"a": payload}
    response = notify(payload=payload)
    assert (response.status_code, assumed(response)) == (400, ["too-large"])


def test_a_body_beyond_djangos_limit_is_a_413(notify, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    response = notify()
    assert (response.status_code, assumed(response)) == (413, ["too-large"])


def test_the_event_keeps_what_came(notify, ada):
    notify(key="6f1f8a2e")
    event = last_event()
    assert json.loads(event.body) == SAMPLE
    assert event.idempotency_key == "6f1f8a2e"
    assert event.subscriber == ada


def test_an_unknown_parameter_is_ignored_and_named(notify, ada):
    response = notify(paylod={})
    assert response.status_code == 202
    assert assumed(response) == ["unknown-parameter"]
    assert "`paylod`" in last_event().explanation


def test_a_repeated_key_sends_a_second_text(notify, ada):
    notify(key="once")
    response = notify(key="once")
    assert assumed(response) == ["repeated-key"]
    assert Message.objects.count() == 2


# Subscribers.


def test_an_unknown_number_is_ignored(notify):
    response = notify(phone_number="206-555-0199")
    assert response.status_code == 202
    assert assumed(response) == ["unknown-number"]
    event = last_event()
    assert event.outcome == "ignored"
    assert event.explanation == (
        "Ignored: +12065550199 is no subscriber of the channel, and allow_new is false."
    )
    assert not Subscriber.objects.exists()
    assert not WorkflowExecution.objects.exists()


def test_the_answers_to_ignored_and_accepted_have_the_same_body(notify, ada):
    assert notify().json() == notify(phone_number="206-555-0199").json()


def test_an_unknown_subscriber_sid_is_ignored_even_with_allow_new(notify):
    response = notify(without=["phone_number"], subscriber_sid="unknown", allow_new=True)
    assert response.status_code == 202
    assert assumed(response) == ["unknown-subscriber"]
    assert last_event().outcome == "ignored"


def test_allow_new_adds_an_unconfirmed_subscriber_who_gets_the_text(notify):
    response = notify(phone_number="(206) 555-0199", allow_new=True)
    assert HEADER not in response.headers
    subscriber = Subscriber.objects.get()
    assert (subscriber.phone_number, subscriber.status) == ("+12065550199", "unconfirmed")
    assert subscriber.subscribed_at is None
    assert Message.objects.get().body.startswith("Hi , how was")
    assert "`subscriber.properties.firstName`" in last_event().explanation


def test_subscribe_new_adds_a_subscribed_one(notify):
    notify(phone_number="12065550199", allow_new=True, subscribe_new=True)
    subscriber = Subscriber.objects.get()
    assert subscriber.status == "subscribed"
    assert subscriber.subscribed_at is not None


def test_the_flags_change_nothing_for_who_unsubscribed(notify, channel):
    add_subscriber(channel, "555-555-5555", first_name="Ada", status="unsubscribed")
    response = notify(allow_new=True, subscribe_new=True)
    assert response.status_code == 202
    assert assumed(response) == ["known-subscriber", "unsubscribed"]
    subscriber = Subscriber.objects.get()
    assert subscriber.status == "unsubscribed"
    assert subscriber.unsubscribed_at is not None
    assert last_event().outcome == "withheld"
    assert not Message.objects.exists()


def test_a_marketing_text_to_the_unconfirmed_is_withheld(notify, channel, workflow):
    Workflow.objects.update(is_marketing=True)
    add_subscriber(channel, "555-555-5555", first_name="Ada", status="unconfirmed")
    notify()
    execution = WorkflowExecution.objects.get()
    assert execution.status == "withheld"
    assert execution.explanation == "the subscriber is unconfirmed and the workflow is marketing"
    assert last_event().outcome == "withheld"
    assert not Message.objects.exists()


def test_a_number_from_elsewhere_is_taken_and_noted(notify):
    response = notify(phone_number="+442079460958", allow_new=True)
    assert assumed(response) == ["foreign-number"]
    assert Subscriber.objects.get().phone_number == "+442079460958"


def test_any_spelling_finds_the_subscriber(ada):
    for spelling in ["5555555555", "+1 555 555 5555", "1-555-555-5555"]:
        assert Subscriber.objects.get(phone_number=spelling) == ada


# Workflows.


def test_a_start_condition_that_fails_says_what_it_saw(notify, ada):
    notify(payload={"ticket_status": "Failed"})
    execution = WorkflowExecution.objects.get()
    assert execution.status == "skipped"
    assert execution.explanation == "condition: ticket_status was `Failed`, not `Success`"
    assert execution.start_date is None
    event = last_event()
    assert event.outcome == "skipped"
    assert event.explanation == (
        "Workflow `Support feedback` was skipped; "
        "condition: ticket_status was `Failed`, not `Success`."
    )


def test_a_payload_left_out_skips_and_does_not_break(notify, ada):
    assert notify(without=["payload"]).status_code == 202
    assert "ticket_status had no value; it must be `Success`" in last_event().explanation


def test_a_start_condition_may_ask_for_the_subscriber(notify, ada, workflow):
    workflow.start_conditions.create(
        path="subscriber.properties.plan", operator="equals", value="gold"
    )
    notify()
    assert last_event().outcome == "skipped"
    ada.properties["plan"] = "gold"
    ada.save()
    notify()
    assert last_event().outcome == "sent"


def test_an_operator_beyond_equals_is_an_assumption(notify, ada, workflow):
    workflow.start_conditions.create(path="cs_agent_name", operator="is_set")
    workflow.start_conditions.create(path="cs_agent_name", operator="starts_with", value="P")
    assert assumed(notify()) == ["operator"]
    assert last_event().outcome == "sent"


def test_each_workflow_decides_for_itself(notify, ada, channel):
    channel.workflows.create(
        name="Apology", event_name="RequestSupportFeedback", message="Sorry!"
    ).start_conditions.create(path="ticket_status", operator="equals", value="Failed")
    channel.workflows.create(
        name="Off", event_name="RequestSupportFeedback", message="Off", is_enabled=False
    )
    notify()
    statuses = dict(WorkflowExecution.objects.values_list("workflow__name", "status"))
    assert statuses == {"Support feedback": "completed", "Apology": "skipped", "Off": "skipped"}
    event = last_event()
    assert event.outcome == "sent"
    assert "Workflow `Off` was skipped; the workflow is disabled." in event.explanation
    assert Message.objects.count() == 1


def test_an_event_that_nothing_listens_for_is_ignored_with_a_hint(notify, ada):
    response = notify(event_name="requestSupportFeedback")
    assert response.status_code == 202
    assert assumed(response) == ["unheard-event"]
    event = last_event()
    assert event.outcome == "ignored"
    assert "One listens for `RequestSupportFeedback`." in event.explanation


def test_workflows_of_other_channels_do_not_listen(notify, ada, channel):
    other = Channel.objects.create(account=channel.account)
    other.workflows.create(name="Other", event_name="RequestSupportFeedback", message="Other")
    notify()
    assert Message.objects.get().channel == channel


def test_a_payload_can_not_pose_as_the_subscriber(notify, ada):
    payload = {**SAMPLE["payload"], "subscriber": {"properties": {"firstName": "Eve"}}}
    assert assumed(notify(payload=payload)) == ["shadowed-subscriber"]
    assert Message.objects.get().body == TEXT


# Messages.


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("Hi {{ name", "can't be rendered"),
        ("{% for i in (1..9) %}", "can't be rendered"),
        ("{% include 'other' %}", "can't be rendered"),
        ("{{ 1 | nonsense }}", "unknown filter 'nonsense' (line 1)"),
        ("{% for i in (1..99999) %}x{% endfor %}", "loop iteration limit"),
        ("{% for i in (1..999) %}{{ cs_agent_name }} is here{% endfor %}", "output stream limit"),
        (
            "{% assign a = 'x' %}{% for i in (1..30) %}{% assign a = a | append: a %}{% endfor %}",
            "namespace limit",
        ),
        ("x" * 4001, "at most 4000"),
        ("{% if cs_agent_name == 'Jim' %}Hi{% endif %}", "its message is empty"),
        ("{{ '1e400' | ceil }}", "can't be rendered"),
        ("{{ '' | sum }}{{ 'a' | sum }}{{ '/w==' | base64_decode }}", "can't be rendered"),
    ],
)
def test_a_template_that_fails_is_explained_and_sends_nothing(
    notify, ada, workflow, template, what
):
    Workflow.objects.update(message=template)
    assert notify().status_code == 202
    execution = WorkflowExecution.objects.get()
    assert execution.status == "failed"
    assert what in execution.explanation
    assert last_event().outcome == "failed"
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ order.lines[1].name | upcase }}", "TEA"),
        ("{% for line in order.lines %}{{ line.name }} {% endfor %}", "milk tea "),
        ("{{ subscriber.phone_number }}, {{ subscriber.status }}", "+15555555555, subscribed"),
        ("{{ nobody.name }}!", "!"),
        ("{{ '%00' | url_decode }}!", "!"),
        ("{{ order.__class__ }}{{ order.items }}!", "!"),
        ("<b>&</b>", "<b>&</b>"),
    ],
)
def test_templates_know_the_payload_and_the_subscriber(notify, ada, workflow, template, text):
    Workflow.objects.update(message=template)
    lines = [{"name": "milk"}, {"name": "tea"}]
    notify(payload={"ticket_status": "Success", "order": {"lines": lines}})
    assert Message.objects.get().body == text


def test_names_without_a_value_are_told(notify, ada, workflow):
    Workflow.objects.update(
        message="{% assign a = 1 %}{{ a }} {{ cs_agent_name }} {{ b.c }} {{ d }} {{ d }}"
    )
    notify()
    assert WorkflowExecution.objects.get().explanation == (
        "its message names what has no value: `b.c`, `d`"
    )


def test_the_admin_refuses_a_broken_template(channel):
    broken = Workflow(channel=channel, name="Broken", event_name="E", message="{{ a")
    with pytest.raises(ValidationError, match="no Liquid template"):
        broken.full_clean()


def test_without_python_liquid_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "liquid", None)
    liquid._environment.cache_clear()
    with pytest.raises(ImportError, match=r"chatitive-django\[sandbox\]"):
        liquid.render("Hi", {})


# The pages.

PAGES = ["inbox", "events"]


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_are_not_found_where_the_sandbox_is_not_allowed(client, settings, page):
    settings.DEBUG = False
    settings.CHATITIVE_SANDBOX_ALLOWED = False
    assert client.get(reverse(f"chatitive_sandbox:{page}")).status_code == 404


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_are_found_in_debug(client, settings, page):
    settings.DEBUG = True
    settings.CHATITIVE_SANDBOX_ALLOWED = False
    assert client.get(reverse(f"chatitive_sandbox:{page}")).status_code == 200


def test_an_empty_inbox_tells_how_to_begin(client, allowed):
    response = client.get(reverse("chatitive_sandbox:inbox"))
    assert "install_vendor_example" in response.text


def test_an_inbox_with_a_channel_tells_how_to_send_without_telling_the_token(client, allowed, ada):
    response = client.get(reverse("chatitive_sandbox:inbox"))
    assert reverse("chatitive_sandbox:notify", args=[CHANNEL_SID]) in response.text
    assert "a token" not in response.text


def test_an_inbox_with_events_and_no_texts_leads_to_the_reasons(client, allowed, notify):
    notify()
    response = client.get(reverse("chatitive_sandbox:inbox"))
    assert "1 event came in without a text going out" in response.text


def test_the_inbox_has_one_thread_a_phone_number(client, allowed, notify, ada, channel):
    add_subscriber(channel, "206-555-0101", first_name="Grace")
    notify()
    notify()
    notify(phone_number="206-555-0101")
    response = client.get(reverse("chatitive_sandbox:inbox"))
    assert response.text.index("Grace") < response.text.index("Ada")
    assert response.text.count("Hi Ada") == 1
    assert "2 texts" in response.text
    assert "(555) 555-5555" in response.text


def test_a_thread_shows_its_texts_and_why_they_were_sent(client, allowed, notify, ada):
    notify()
    response = client.get(reverse("chatitive_sandbox:thread", args=["555-555-5555"]))
    assert "Hi Ada, how was your interaction with Pam?" in response.text
    assert reverse("chatitive_sandbox:event", args=[last_event().pk]) in response.text
    assert client.get(reverse("chatitive_sandbox:event", args=[last_event().pk])).status_code == 200


def test_a_thread_without_texts_says_so_and_an_unknown_number_is_not_found(client, allowed, ada):
    response = client.get(reverse("chatitive_sandbox:thread", args=["+15555555555"]))
    assert "No texts for this number" in response.text
    response = client.get(reverse("chatitive_sandbox:thread", args=["+12065550142"]))
    assert response.status_code == 404


def test_the_events_page_tells_what_happened_and_why(client, allowed, notify, ada):
    notify(phone_number="206-555-0199")
    notify(payload={"ticket_status": "Failed"})
    response = client.get(reverse("chatitive_sandbox:events"))
    assert "+12065550199 is no subscriber of the channel" in response.text
    assert "condition: ticket_status was <code>Failed</code>, not <code>Success</code>" in (
        response.text
    )
    assert Assumption.UNKNOWN_NUMBER.label in response.text


def test_a_body_that_could_not_be_read_is_shown_as_it_came(client, allowed, send_raw):
    send_raw(b'{"event_name": <')
    assert "{&quot;event_name&quot;: &lt;" in client.get(reverse("chatitive_sandbox:events")).text


def test_the_events_page_has_pages(client, allowed, notify):
    for _ in range(31):
        notify()
    response = client.get(reverse("chatitive_sandbox:events"))
    assert response.text.count("<article") == 30
    assert client.get(reverse("chatitive_sandbox:events"), {"page": 2}).text.count("<article") == 1


def test_what_comes_from_outside_is_escaped_everywhere(client, allowed, notify, channel):
    evil = "<script>alert(1)</script>"
    add_subscriber(channel, "evil/<b>", first_name=evil)
    notify(
        phone_number="evil/<b>",
        key=evil,
        payload={"ticket_status": "Success", "cs_agent_name": evil, "ticket_url": "javascript:x"},
    )
    notify(phone_number="evil/<b>", payload={"ticket_status": f"`{evil}`"})
    notify(event_name=evil)
    assert Message.objects.count() == 1
    for address in [
        reverse("chatitive_sandbox:inbox"),
        reverse("chatitive_sandbox:events"),
        reverse("chatitive_sandbox:thread", args=["evil/<b>"]),
    ]:
        page = client.get(address)
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "<b>" not in page.text
        assert 'href="javascript' not in page.text


def test_the_pages_obey_a_strict_content_security_policy(client, allowed, notify, ada):
    notify()
    for address in [
        reverse("chatitive_sandbox:inbox"),
        reverse("chatitive_sandbox:events"),
        reverse("chatitive_sandbox:event", args=[last_event().pk]),
        reverse("chatitive_sandbox:thread", args=["+15555555555"]),
    ]:
        page = client.get(address).text
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=", page)
        assert '<html lang="en">' in page
        assert page.count("<h1") == 1


def test_the_inbox_loads_itself_again_until_it_is_paused(client, allowed):
    address = reverse("chatitive_sandbox:inbox")
    assert 'http-equiv="refresh"' in client.get(address).text
    assert 'http-equiv="refresh"' not in client.get(address, {"live": "no"}).text


# The app.


def test_a_check_warns_where_debug_is_off(settings):
    def found():
        return [message.id for message in checks.run_checks()]

    settings.DEBUG = False
    settings.CHATITIVE_SANDBOX_ALLOWED = False
    assert "chatitive_sandbox.W001" in found()
    settings.CHATITIVE_SANDBOX_ALLOWED = True
    assert "chatitive_sandbox.W001" not in found()
    settings.CHATITIVE_SANDBOX_ALLOWED = False
    settings.DEBUG = True
    assert "chatitive_sandbox.W001" not in found()


def test_a_check_asks_for_python_liquid(monkeypatch):
    monkeypatch.setitem(sys.modules, "liquid", None)
    assert "chatitive_sandbox.E001" in [message.id for message in checks.run_checks()]


def test_the_vendors_example_installs_once_and_keeps_what_was_edited(channel, workflow):
    Workflow.objects.update(message="Edited")
    again = install_vendor_example(account_sid=ACCOUNT, token="new")
    assert again == channel
    assert Account.objects.get().token == "new"
    assert again.workflows.get().message == "Edited"
    assert again.workflows.get().start_conditions.count() == 1


def test_a_subscriber_is_added_once(channel, ada):
    again = add_subscriber(channel, "+1 555 555 5555", first_name="Ada L.", status="unsubscribed")
    assert again == ada
    assert (again.name, again.status) == ("Ada L.", "unsubscribed")


def test_the_admin_shows_the_sandboxs_state(admin_client, notify, ada):
    notify()
    for model in [
        Account,
        Channel,
        Subscriber,
        Workflow,
        ReceivedEvent,
        WorkflowExecution,
        Message,
    ]:
        name = f"admin:chatitive_sandbox_{model._meta.model_name}"
        assert admin_client.get(reverse(f"{name}_changelist")).status_code == 200
        row = model.objects.get()
        assert admin_client.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200


def test_the_migrations_are_complete():
    call_command("makemigrations", "chatitive_sandbox", check=True, dry_run=True, verbosity=0)
