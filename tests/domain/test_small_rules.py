"""Money, names, links, user ids, seats."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appservice.domain.admission import Seat, admit, enter, parse_user_id
from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import GroupId, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.domain.money import exponent, parse_amount, to_decimal
from appservice.domain.product import parse_link, parse_sku, sku_from
from appservice.domain.refusal import Reason, Refusal
from appservice.domain.text import clean_name, fold, without_ids


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("89", "EUR", 8900),
        ("89.00", "EUR", 8900),
        ("89,5", "EUR", 8950),
        ("0.01", "EUR", 1),
        ("1200", "JPY", 1200),
        ("1.234", "KWD", 1234),
        ("1.5", "KWD", 1500),
        ("89.001", "EUR", None),
        ("12.5", "JPY", None),
        ("", "EUR", None),
        ("-5", "EUR", None),
        ("+5", "EUR", None),
        ("1e9", "EUR", None),
        ("1,000.00", "EUR", None),
        ("٣", "EUR", None),
        ("99999999999999999999", "EUR", None),
        ("9999999999999", "JPY", None),
    ],
)
def test_an_amount_is_read_to_the_minor_unit_or_not_at_all(text: str, currency: str, minor: int | None) -> None:
    assert parse_amount(text, currency) == minor


def test_exponents_come_from_the_currency() -> None:
    assert [exponent(c) for c in ("EUR", "JPY", "KWD")] == [2, 0, 3]


@given(st.integers(0, 10**12), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_an_amount_survives_being_written_and_read(minor: int, currency: str) -> None:
    assert parse_amount(f"{to_decimal(minor, currency):f}", currency) == minor
    assert to_decimal(minor, currency) * 10 ** exponent(currency) == Decimal(minor)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Merino throw", "Merino throw"),
        ("  two \n lines\t", "two lines"),
        ("a\u202eb\u200bc\0d", "abcd"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("Café", "Café"),
        ("\u0301", None),
        ("", None),
        ("\u200b\u200e ", None),
        ("x" * 80, "x" * 80),
        ("x" * 81, None),
    ],
)
def test_a_name_is_one_line_of_visible_text(text: str, name: str | None) -> None:
    assert clean_name(text) == name


@given(st.text(max_size=100))
def test_a_clean_name_is_clean_already(text: str) -> None:
    name = clean_name(text)
    if name is not None:
        assert clean_name(name) == name and "\n" not in name and name.isprintable()


def test_names_fold_without_case_and_accents() -> None:
    assert fold("  ÉCLAIR Straße ") == fold("eclair strasse")


@pytest.mark.parametrize("link", ["https://shop.example/throw", "http://shop.example:8080/?a=b#c"])
def test_a_link_to_a_shop_is_kept_as_it_was_typed(link: str) -> None:
    assert parse_link(link) == link


@pytest.mark.parametrize(
    ("link", "safe"),
    [
        ("https://\u0430pple.example/throw?a=1", "https://xn--pple-43d.example/throw?a=1"),  # a Cyrillic letter
        ("https://b\u00fccher.example:8443/", "https://xn--bcher-kva.example:8443/"),
    ],
)
def test_a_link_whose_host_may_look_like_another_shows_what_it_is(link: str, safe: str) -> None:
    assert parse_link(link) == safe


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "ftp://shop.example/",
        "https://",
        "https:///throw",
        "//shop.example",
        "shop.example",
        "https://user:secret@shop.example/",
        "https://shop.example/a b",
        "https://shop.example/\n",
        "https://shop.example:99999/",
        "https://shop.example/" + "x" * 2000,
        "data:text/html,x",
    ],
)
def test_what_is_no_plain_link_is_refused(link: str) -> None:
    assert parse_link(link) is None


def test_skus_are_made_from_names_and_never_twice() -> None:
    taken: set[str] = set()
    for expected in ("merino-throw", "merino-throw-2", "merino-throw-3"):
        sku = sku_from("Merino throw", frozenset(taken))
        assert sku == expected and parse_sku(sku) == sku
        taken.add(sku)
    assert sku_from("日本", frozenset()) == "item"


@given(st.text(min_size=1, max_size=80))
def test_every_name_gives_a_sku(name: str) -> None:
    sku = sku_from(name, frozenset({"item"}))
    assert parse_sku(sku) == sku and sku != "item"


@pytest.mark.parametrize(
    "text", ["@ana:example.org", "@a.b-c=_/+1:localhost:8448", "@x:[::1]:8448", "@Ana:example.org", "@x:1.2.3.4"]
)
def test_user_ids_of_the_spec_are_read(text: str) -> None:
    assert parse_user_id(text) == text


@pytest.mark.parametrize(
    "text", ["ana", "@ana", "@:example.org", "@ana:", "ana:example.org", "@ana:exa mple.org", "@ana:example.org:x",
             "@an\u202ea:example.org", "@" + "a" * 255 + ":x.org", "@ana:-x.org", "@ana:example.org\n"],
)  # fmt: skip
def test_what_is_no_user_id_is_refused(text: str) -> None:
    assert parse_user_id(text) is None


GROUP = Group(GroupId("g"), "Wool circle", UserId("@rosa:x"), 10, "EUR", "en", "UTC", GroupStatus.OPEN)


def a_member(presence: Presence) -> Member:
    return Member(GROUP.id, UserId("@a:x"), presence)


def found_or_why(found: Seat | Refusal) -> Seat | Reason:
    return found.reason if isinstance(found, Refusal) else found


@pytest.mark.parametrize(
    ("taken", "invitee", "found"),
    [
        (9, None, Seat.FREE),
        (9, a_member(Presence.LEFT), Seat.FREE),
        (10, None, Seat.NONE),
        (11, None, Seat.NONE),
        (10, a_member(Presence.LEFT), Seat.NONE),
        (5, a_member(Presence.BANNED), Reason.BANNED),
        (5, a_member(Presence.JOINED), Reason.ALREADY_HERE),
        (5, a_member(Presence.INVITED), Reason.ALREADY_INVITED),
        (10, a_member(Presence.JOINED), Reason.ALREADY_HERE),
    ],
)
def test_a_person_is_invited_only_onto_a_free_seat(taken: int, invitee: Member | None, found: Seat | Reason) -> None:
    assert found_or_why(admit(GROUP, taken, invitee)) is found


@pytest.mark.parametrize(
    ("taken", "person", "found"),
    [
        (9, None, Seat.FREE),
        (10, None, Seat.NONE),
        (10, a_member(Presence.LEFT), Seat.NONE),
        (10, a_member(Presence.INVITED), Seat.FREE),
        (11, a_member(Presence.JOINED), Seat.FREE),
        (5, a_member(Presence.BANNED), Reason.BANNED),
    ],
)
def test_who_comes_in_stays_on_a_seat_of_their_own_or_a_free_one(
    taken: int, person: Member | None, found: Seat | Reason
) -> None:
    assert found_or_why(enter(GROUP, taken, person)) is found


@pytest.mark.parametrize("status", [GroupStatus.CLOSING, GroupStatus.CLOSED])
@pytest.mark.parametrize("person", [None, a_member(Presence.INVITED), a_member(Presence.LEFT)])
def test_nobody_comes_into_a_group_that_is_being_closed(status: GroupStatus, person: Member | None) -> None:
    assert found_or_why(enter(replace(GROUP, status=status), 0, person)) is Reason.GROUP_CLOSING


def test_who_is_not_joined_has_no_role() -> None:
    member = Member(GroupId("g"), UserId("@a:x"), Presence.INVITED, power=100)
    assert member.role is Role.STRANGER and member.takes_seat


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@otto:fake.test knows her", "(an id) knows her"),
        ("ask @o.tto=1:[2001:db8::1]:8448, or @b:x.org:8448.", "ask (an id), or (an id)."),
        ("<@o:x>", "<(an id)>"),
        ("a@b.org, @room, 10:30 @ home", "a@b.org, @room, 10:30 @ home"),
    ],
)
def test_matrix_ids_are_taken_out_of_what_others_may_read(text: str, shown: str) -> None:
    assert without_ids(text) == shown
