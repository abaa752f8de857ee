from __future__ import annotations

import re
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import override_settings
from django.views.debug import ExceptionReporter

from chatitive_django import conf
from chatitive_django.backends import get_backend, make_backend
from chatitive_django.conf import InvalidSetting
from chatitive_django.conf import settings as chatitive

URL = "chatitive://SID:s3cr3t@api.essential.to/p03Gjl8Uzn0RkZSpHXHnrw"


def configure(**keys):
    return override_settings(CHATITIVE={"API_URLS": {"default": URL}, **keys})


def test_keys_have_the_documented_defaults(monkeypatch):
    monkeypatch.setattr(conf, "in_test_environment", lambda: False)
    with configure():
        assert chatitive.DISPATCHER == "embedded"
        assert (chatitive.CONCURRENCY, chatitive.LEASE) == (8, timedelta(seconds=120))
        assert (chatitive.CONNECT_TIMEOUT, chatitive.CALL_TIMEOUT) == (5.0, 30.0)
        assert (chatitive.POLL_INTERVAL, chatitive.SWEEP_INTERVAL) == (1.0, 15.0)
        assert (chatitive.EXPIRES_AFTER, chatitive.ON_AMBIGUOUS) == (timedelta(hours=24), "hold")
        assert chatitive.PHONE_REGION == "US"
        assert conf.problems() == []


def test_the_page_of_the_docs_lists_each_key():
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    assert re.findall(r"^\| `([A-Z_]+)` \|", page.read_text(), re.MULTILINE) == conf.KEYS


def test_durations_are_seconds_or_a_timedelta():
    with configure(EXPIRES_AFTER=60, CALL_TIMEOUT=timedelta(seconds=2)):
        assert chatitive.EXPIRES_AFTER == timedelta(minutes=1)
        assert chatitive.CALL_TIMEOUT == 2.0


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"CONCURENCY": 4}, "CHATITIVE['CONCURENCY'] is no setting. Did you mean 'CONCURRENCY'?"),
        ({"zzz": 4}, "Known are: API_URLS,"),
        ({"CONCURRENCY": 0}, "CHATITIVE['CONCURRENCY'] must be a whole number from 1"),
        ({"CONCURRENCY": True}, "must be a whole number from 1"),
        ({"LEASE": "long"}, "CHATITIVE['LEASE'] must be a positive number of seconds"),
        ({"LEASE": -5}, "must be a positive number of seconds"),
        ({"ON_AMBIGUOUS": "ask"}, 'must be "hold" or "retry", and it is \'ask\''),
        ({"API_URLS": URL}, "must be a dict of channel alias → URL"),
        ({"API_URLS": {"default": None}}, "must be a dict of channel alias → URL"),
        ({"API_URLS": {URL: "default"}}, "The alias comes first"),
        ({"API_URLS": {"default": URL, "two words": URL}}, "has an alias that is no name"),
        ({"DISPATCHER": ""}, "must be a name"),
        ({"PHONE_REGION": "Xx"}, "must be the two capital letters of a country"),
        ({"PHONE_REGION": "UK"}, 'such as "US" or "GB", not \'UK\''),
        ({"API_TEST_NUMBERS": "s3cr3t"}, "must be a list of phone numbers"),
        ({"API_TEST_NUMBERS": ["s3cr3t", 2065550100]}, "must be a list of phone numbers"),
        ({"MONITOR_TOKEN": "s3cr3t token"}, "must be a text of ASCII characters without blanks"),
        ({"MONITOR_TOKEN": None}, "must be a text of ASCII characters"),
    ],
)
def test_each_wrong_key_is_told_with_what_to_do_and_without_the_url(keys, told):
    with configure(**keys):
        [problem] = conf.problems()
    assert told in problem
    assert "s3cr3t" not in problem


def test_without_the_phone_extra_any_two_capitals_may_be_a_country(monkeypatch):
    monkeypatch.setattr(conf, "_REGIONS", set())
    with configure(PHONE_REGION="UK"):
        assert conf.problems() == []
    with configure(PHONE_REGION="us"):
        assert "two capital letters" in conf.problems()[0]


def test_a_setting_that_is_no_dict_is_told():
    with override_settings(CHATITIVE=[URL]):
        [problem] = conf.problems()
    assert problem == "CHATITIVE must be a dict, and it is a list."


@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3cr3t",
        "https://SID:s3cr3t@api.essential.to/channel",
        "chatitve://SID:s3cr3t@api.essential.to/channel",
        "chatitive://SID:s3cr3t@api.essential.to",
        "chatitive://s3cr3t@api.essential.to/channel",
        "chatitive://SID:s3cr3t@[api/channel",
        "chatitive+http://SID:s3cr3t@api.essential.to/channel",
        "chatitive://SID:s3cr3t@api.essential.to/channel?proxi=s3cr3t",
    ],
)
def test_a_malformed_url_is_refused_by_an_error_that_names_the_setting_and_no_secret(url):
    with pytest.raises(InvalidSetting) as refused:
        make_backend("sales", url)
    assert "CHATITIVE[\"API_URLS\"]['sales']" in str(refused.value)
    assert "s3cr3t" not in str(refused.value)
    assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_an_error_mail_to_the_admins_holds_no_token_and_no_number(rf):
    request = rf.get("/")
    with configure(MONITOR_TOKEN="s3cr3t-too", API_TEST_NUMBERS=["206-555-0142"]):
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            reporter = ExceptionReporter(request, *sys.exc_info(), is_email=True)
        text = reporter.get_traceback_text() + reporter.get_traceback_html()
    assert "API_URLS" in text
    assert "s3cr3t" not in text
    assert "API_TEST_NUMBERS" in text
    assert "206-555" not in text


def test_an_unknown_channel_is_told_with_the_known_ones():
    with configure(), pytest.raises(InvalidSetting, match="Did you mean 'default'"):
        get_backend("defualt")


def test_a_test_that_overrides_only_the_channels_starts_no_thread():
    with configure():
        assert chatitive.DISPATCHER == "immediate"
    with configure(DISPATCHER="embedded"):
        assert chatitive.DISPATCHER == "embedded"


def test_tests_get_harmless_channels_under_their_own_aliases_unless_they_override():
    with configure():
        assert chatitive.API_URLS == {"default": URL}
    assert chatitive.API_URLS == {"default": "locmem://"}
    assert chatitive.DISPATCHER == "immediate"
