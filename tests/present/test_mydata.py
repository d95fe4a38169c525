"""What a person gets who asks for their data: complete, exact, and without anybody's Matrix id."""

import json
from dataclasses import replace
from typing import Any

import pytest

from appservice.domain.group import Group, GroupStatus
from appservice.domain.ids import GroupId, Number, UserId
from appservice.domain.member import Member, Presence, Role
from appservice.present.mydata import InGroup, Known, mydata
from appservice.store.personal import (
    Asked,
    Booked,
    Ordered,
    PledgedUnits,
    Proposed,
    Questioned,
    Recommended,
    Said,
    Unplaced,
)

NOW = 1_795_435_200_000  # Monday 23 November 2026, 12:00 UTC
GROUP = Group(GroupId("wool7x"), "Wool circle", UserId("@rosa:x"), 20, "EUR", "en", "Europe/Vienna",
              status=GroupStatus.OPEN)  # fmt: skip
ANA = Member(GROUP.id, UserId("@ana:x.example"), Presence.JOINED, number=Number(3), alias="Otter", sponsor=Number(1),
             invited_by=UserId("@rosa:x"), joined_at=NOW - 1, name_key="anastasia")  # fmt: skip
PART = InGroup(
    GROUP,
    ANA,
    aliases=["Calm Fox", "Otter"],
    was_vouched_for=True,
    sponsored=["Lynx"],
    asked=[Asked(NOW, "my neighbour @pia:y.example, kind", False), Asked(NOW, "", True)],
    codes_expire_at=[NOW + 1],
    pledged=[PledgedUnits("k3x9qf", "Merino throw", "open", 2, 1, 900, "EUR")],
    ordered=[Ordered("o1", "b1", "Mug", 3, 7900, 23_700, "EUR", NOW)],
    recommended=[Recommended("Mug", "keeps warm", NOW)],
    liked=["Merino throw", "Mug"],
    booked=[Booked(NOW, "pledged", "k3x9qf", 2, 0, "EUR"), Booked(NOW, "joined", None, 0, 0, None)],
    said=[Said("revealing", NOW)],
    questioned=[
        Questioned(NOW, "open", ("Is it warm?", "@ben:x.example says so"), True, ("she knows @kim:y.example",)),
        Questioned(NOW, "resolved", (), False, ()),
    ],
    proposed=[Proposed(NOW, "k3x9qf", "2 max 9.00"), Proposed(NOW, "b1", "")],
)


def read(*groups: InGroup, **more: Any) -> dict[str, Any]:
    known = {"has_direct_room": True, "wrong_codes": 2, "said": [Said("sent", NOW)],
             "unplaced": [Unplaced(NOW, "Ask @ben:x.example", False)]} | more  # fmt: skip
    found: dict[str, Any] = json.loads(mydata(Known(groups, **known), NOW))
    return found


def test_the_file_has_all_that_is_kept_about_a_member() -> None:
    file = read(PART)
    [group] = file.pop("groups")
    assert file == {
        "account": "the Matrix account you wrote from",
        "written_at": "2026-11-23T12:00:00.000Z",
        "direct_room": "your Matrix ID is kept as the address of the room in which you and the service talk",
        "wrong_codes_tried_lately": 2,
        "told_once": [{"what": "sent", "at": "2026-11-23T12:00:00.000Z"}],
        "questions_without_a_group": [
            {"at": "2026-11-23T12:00:00.000Z", "you_wrote": "Ask (a Matrix ID)", "with_a_picture": False}
        ],
    }
    assert group == {
        "group": "Wool circle",
        "id": "wool7x",
        "status": "open",
        "number": 3,
        "alias": "Otter",
        "aliases": ["Calm Fox", "Otter"],
        "presence": "in the group",
        "role": "member",
        "joined_at": "2026-11-23T11:59:59.999Z",
        "on_duty": None,
        "counts_as_a_program": False,
        "display_name_as_compared": "anastasia",
        "was_vouched_for": True,
        "sponsored": ["Lynx"],
        "vouching_suspended_because": None,
        "place_on_the_waitlist": None,
        "asked_of_the_concierges": [
            {
                "at": "2026-11-23T12:00:00.000Z",
                "for": "an invitation for a person",
                "why": "my neighbour (a Matrix ID), kind",
            },
            {"at": "2026-11-23T12:00:00.000Z", "for": "an invitation code", "why": ""},
        ],
        "invitation_codes": [{"expires_at": "2026-11-23T12:00:00.001Z"}],
        "pledges": [
            {
                "buy": "k3x9qf",
                "product": "Merino throw",
                "status": "open",
                "units": 2,
                "flexible_units": 1,
                "maximum": "9.00 EUR",
            }
        ],
        "orders": [
            {
                "order": "o1",
                "at": "2026-11-23T12:00:00.000Z",
                "buy": "b1",
                "product": "Mug",
                "units": 3,
                "unit_price": "79.00 EUR",
                "total": "237.00 EUR",
            }
        ],
        "recommendations": [{"at": "2026-11-23T12:00:00.000Z", "product": "Mug", "why": "keeps warm"}],
        "likes": ["Merino throw", "Mug"],
        "questions": [
            {
                "at": "2026-11-23T12:00:00.000Z",
                "status": "open",
                "you_wrote": ["Is it warm?", "(a Matrix ID) says so"],
                "with_a_picture": True,
                "noted_by_concierges": ["she knows (a Matrix ID)"],
            },
            {
                "at": "2026-11-23T12:00:00.000Z",
                "status": "resolved",
                "you_wrote": [],
                "with_a_picture": False,
                "noted_by_concierges": [],
            },
        ],
        "pledges_written_down_for_you": [
            {"at": "2026-11-23T12:00:00.000Z", "buy": "k3x9qf", "pledge": "2 max 9.00"},
            {"at": "2026-11-23T12:00:00.000Z", "buy": "b1", "pledge": "confirmed by you"},
        ],
        "ledger": [
            {
                "at": "2026-11-23T12:00:00.000Z",
                "fact": "pledged",
                "buy": "k3x9qf",
                "units": 2,
                "amount": "0.00 EUR",
            },
            {"at": "2026-11-23T12:00:00.000Z", "fact": "joined", "buy": None, "units": 0, "amount": None},
        ],
        "told_once": [{"what": "revealing", "at": "2026-11-23T12:00:00.000Z"}],
    }


def test_no_matrix_id_is_in_the_file() -> None:
    suspended = replace(PART, member=replace(ANA, suspended="wrote to @otto:x.example, twice"))
    text = mydata(Known([suspended], True, 0, [Said("like @ben:x", NOW)]), NOW)
    assert "@" not in text
    assert json.loads(text)["groups"][0]["vouching_suspended_because"] == "wrote to (a Matrix ID), twice"


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [
        (7900, "EUR", "79.00 EUR"),
        (7900, "JPY", "7900 JPY"),
        (7900, "KWD", "7.900 KWD"),
        (10**12 + 1, "EUR", "10000000000.01 EUR"),
        (-5, "EUR", "-0.05 EUR"),
    ],
)
def test_amounts_are_exact_in_every_currency(minor: int, currency: str, written: str) -> None:
    part = replace(PART, booked=[Booked(NOW, "order", "b1", 1, minor, currency)])
    assert read(part)["groups"][0]["ledger"][0]["amount"] == written


@pytest.mark.parametrize(
    ("presence", "power", "said", "role"),
    [
        (Presence.INVITED, 0, "invited", "member"),
        (Presence.JOINED, Role.CONCIERGE, "in the group", "concierge"),
        (Presence.JOINED, Role.OWNER, "in the group", "owner"),
        (Presence.LEFT, 0, "not in the group any more", None),
        (Presence.BANNED, 0, "banned from the group", None),
    ],
)
def test_standing_is_said_in_words(presence: Presence, power: int, said: str, role: str | None) -> None:
    [group] = read(replace(PART, member=replace(ANA, presence=presence, power=power)))["groups"]
    assert (group["presence"], group["role"]) == (said, role)


def test_somebody_who_only_waits_reads_their_place() -> None:
    [group] = read(InGroup(GROUP, None, 4))["groups"]
    assert (group["presence"], group["place_on_the_waitlist"], group["number"]) == ("waiting for a seat", 4, None)


def test_somebody_unknown_reads_that_nothing_is_kept() -> None:
    file = read(has_direct_room=False, wrong_codes=0, said=[])
    assert (file["groups"], file["direct_room"]) == ([], "none is kept")
