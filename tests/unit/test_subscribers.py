from __future__ import annotations

import sys

import pytest
from django.test import override_settings

from chatitive_django.subscribers import mask, normalise, subscriber_key

NORTH_AMERICAN = [
    ("555-555-5555", "+15555555555"),
    ("15009998080", "+15009998080"),
    ("15555555555", "+15555555555"),
    ("5009998080", "+15009998080"),
    (" (206) 555-0100 ", "+12065550100"),
    ("206.555.0100", "+12065550100"),
    ("+1 206 555 0100", "+12065550100"),
    ("+49 30 901820", "+4930901820"),
    ("\u202a+1\u00a0(206) 555\u20110100\u202c", "+12065550100"),
    ("\u200e+12065550100", "+12065550100"),
    ("206–555–0100", "+12065550100"),
    ("206/555/0100", "+12065550100"),
    ("tel:+1-206-555-0100", "+12065550100"),
    ("٢٠٦٥٥٥٠١٠٠", "+12065550100"),
    ("＋１２０６５５５０１００", "+12065550100"),
    ("ask Kim", "ask Kim"),
    ("12345", "12345"),
    ("", ""),
]


@pytest.mark.parametrize(("typed", "compared"), NORTH_AMERICAN)
def test_two_spellings_of_a_number_compare_as_one(typed, compared):
    assert normalise(typed) == compared


@pytest.mark.parametrize(("typed", "compared"), NORTH_AMERICAN)
def test_it_is_the_same_without_the_phone_extra(monkeypatch, typed, compared):
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    assert normalise(typed) == compared


def test_numbers_typed_without_a_country_are_of_the_region():
    chatitive = {"API_URLS": {"default": "locmem://"}, "PHONE_REGION": "DE"}
    with override_settings(CHATITIVE=chatitive):
        assert normalise("030 901820") == "+4930901820"


def test_a_foreign_region_without_the_phone_extra_leaves_numbers_as_typed(monkeypatch):
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    chatitive = {"API_URLS": {"default": "locmem://"}, "PHONE_REGION": "DE"}
    with override_settings(CHATITIVE=chatitive):
        assert normalise("030 901820") == "030 901820"


def test_a_phone_and_a_sid_are_two_subscribers():
    assert subscriber_key(phone_number="206-555-0100", subscriber_sid=None) == "+12065550100"
    assert subscriber_key(phone_number="206-555-0100", subscriber_sid="s") == "sid:s"


@pytest.mark.parametrize(
    ("identifier", "masked"), [("206-555-0123", "…0123"), ("12345", "…"), ("", "")]
)
def test_a_masked_number_shows_its_last_four_digits(identifier, masked):
    assert mask(identifier) == masked
