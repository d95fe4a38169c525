"""Where a buy goes from where; opening it, changing its terms and its deadline."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given as draw
from hypothesis import settings
from hypothesis import strategies as st

from appservice.domain import group_buy
from appservice.domain.group_buy import (
    TRANSITIONS,
    Advance,
    Cancel,
    Cancelled,
    Close,
    Extend,
    Extended,
    Grace,
    GraceGiven,
    Improve,
    Open,
    Opened,
    Schedule,
    Scheduled,
    Settle,
    Shorten,
    Shortened,
    Status,
    StatusChanged,
    decide,
)
from appservice.domain.group_buy.planning import NOTICE_MS
from appservice.domain.refusal import Reason, Refusal
from tests.domain.given import ANA, BEN, BOSS, DEADLINE, a_buy, add, after, given, put, refused, replay, settle

# The table of steps, once more in the words of the product page

PATH = ["draft", "scheduled", "open", "closing", "succeeded", "collecting", "ordered", "arrived", "handing_out", "done"]


def test_the_table_is_the_path_and_its_two_side_exits() -> None:
    steps = {(str(start), str(end)) for start, ends in TRANSITIONS.items() for end in ends}
    expected = {*pairwise(PATH), ("draft", "open"), ("closing", "failed")}
    expected |= {(start, "cancelled") for start in PATH[:-1]}
    assert steps == expected
    assert [status for status in Status if status.is_planned] == ["draft", "scheduled"]
    assert [status for status in Status if status.is_live] == ["open", "closing"]
    assert [status for status in Status if status.is_cleared] == PATH[4:]
    assert {status for status in Status if status.is_over} == {Status.FAILED, Status.DONE, Status.CANCELLED}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("to", Status)
def test_a_concierge_takes_a_buy_one_step_on_after_its_success_and_nowhere_else(status: Status, to: Status) -> None:
    outcome = decide(a_buy(status), Advance(to, BOSS, "so"))
    if (status.value, to.value) in pairwise(PATH[4:]):
        assert outcome == [StatusChanged(to, BOSS, "so")]
    else:
        allowed = tuple(end for start, end in pairwise(PATH[4:]) if start == status)
        assert outcome == Refusal(Reason.WRONG_STEP, {"status": status, "to": to, "allowed": allowed})


@pytest.mark.parametrize("status", Status)
def test_a_buy_can_be_cancelled_from_any_state_before_it_is_done_or_failed(status: Status) -> None:
    outcome = decide(a_buy(status), Cancel("supplier gone", BOSS))
    if status in (Status.DONE, Status.FAILED, Status.CANCELLED):
        assert refused(outcome) is Reason.WRONG_STEP
    else:
        assert outcome == [Cancelled("supplier gone", BOSS)]
        assert after(a_buy(status), Cancel("", BOSS)).status is Status.CANCELLED


@pytest.mark.parametrize("status", Status)
def test_only_a_live_buy_is_settled_and_only_an_open_one_closed(status: Status) -> None:
    live = status in (Status.OPEN, Status.CLOSING)
    assert isinstance(decide(a_buy(status), Settle([], 0)), Refusal) is not live
    assert isinstance(decide(a_buy(status), Close(5)), Refusal) is (status is not Status.OPEN)


LATER = 3 * NOTICE_MS
times = st.sampled_from([0, 40, 60, NOTICE_MS, LATER - 1, LATER, LATER + 1, 2 * LATER])
asked = st.one_of(
    *[st.just("on")] * 4,
    st.just("settle"),
    st.just("improve"),
    st.builds(Schedule, times),
    st.builds(Open, times),
    st.builds(Extend, times, times),
    st.builds(Shorten, times, times),
    st.builds(Grace, times, times),
    st.builds(Close, times),
    st.builds(Advance, st.sampled_from(Status), st.just(BOSS)),
    st.builds(add, st.just(ANA), st.integers(1, 30), st.integers(1, 10**6), st.just(60) | times),
    st.builds(put, st.just(BEN), st.integers(1, 30), st.integers(1, 10**6), st.just(0), st.sampled_from([None, 7000])),
)


def request_for(buy: group_buy.GroupBuy, wish: Any) -> group_buy.Request:
    """What was wished for; "on" is a step that the table allows."""
    if wish == "improve":
        first, *others = buy.terms.tiers
        return Improve(replace(buy.terms, tiers=(replace(first, unit_price=first.unit_price - 1), *others)), 60)
    if wish == "settle" or (wish == "on" and buy.status is Status.CLOSING):
        return settle(buy)
    if wish == "on":
        on = TRANSITIONS[buy.status][0] if TRANSITIONS[buy.status] else Status.DONE
        return {Status.SCHEDULED: Schedule(0), Status.OPEN: Open(60), Status.CLOSING: Close(LATER)}.get(
            on, Advance(on, BOSS)
        )
    return wish  # type: ignore[no-any-return]


@settings(deadline=None)
@draw(st.lists(asked, min_size=8, max_size=30), st.sampled_from([Status.DRAFT, Status.OPEN]), st.booleans())
def test_a_buy_goes_forward_only_and_by_the_table_whatever_is_asked(
    wishes: list[Any], start: Status, called_off: bool
) -> None:
    first = buy = a_buy(start, opens_at=50, deadline_at=LATER)
    history: list[group_buy.Fact] = []
    for wish in [*wishes, Cancel("so", BOSS)] if called_off else wishes:
        request = request_for(buy, wish)
        facts = decide(buy, request)
        for fact in [] if isinstance(facts, Refusal) else facts:
            then = group_buy.evolve(buy, fact)
            assert then.status is buy.status or then.status in TRANSITIONS[buy.status]
            assert then.status is not Status.ARRIVED or buy.status is Status.ARRIVED or isinstance(request, Advance)
            buy = then
            history.append(fact)
        assert buy.status is not Status.SUCCEEDED, "success leads on to collecting in the same decision"
    assert replay(first, history) == buy


# Opening


def test_a_draft_is_scheduled_and_opens_at_its_time() -> None:
    draft = a_buy(Status.DRAFT, opens_at=100)
    assert given(draft, Schedule(5)) == [Scheduled(100)]
    buy = after(draft, Schedule(5), Open(130))
    assert buy.status is Status.OPEN and buy.opened_at == 100
    assert after(buy, add(ANA, 1, 1, received_at=100)).units_of(ANA) == 1


@pytest.mark.parametrize("status", [Status.DRAFT, Status.SCHEDULED])
def test_opened_early_a_buy_takes_pledges_at_once(status: Status) -> None:
    buy = a_buy(status, opens_at=100)
    assert given(buy, Open(30)) == [Opened(30)]
    assert after(buy, Open(30), add(ANA, 1, 1, received_at=30)).units_of(ANA) == 1


def test_a_draft_that_is_opened_late_is_open_from_then_on() -> None:
    assert given(a_buy(Status.DRAFT, opens_at=100), Open(130)) == [Opened(130)]


@pytest.mark.parametrize(
    ("request_", "details"),
    [
        (Schedule(100), {"why": "no_opening"}),
        (Schedule(101), {"why": "no_opening"}),
        (Open(DEADLINE), {"why": "past"}),
    ],
)
def test_a_buy_is_not_planned_for_the_past(request_: group_buy.Request, details: dict) -> None:
    assert decide(a_buy(Status.DRAFT, opens_at=100), request_) == Refusal(Reason.BAD_DEADLINE, details)
    assert refused(decide(a_buy(Status.DRAFT), Schedule(5))) is Reason.BAD_DEADLINE


# The deadline


def test_a_deadline_moves_later_while_the_buy_is_open() -> None:
    buy = after(a_buy(), add(ANA, 4, 1), put(group_buy.Pledger(ANA.group_id, BOSS), 2, 2, max_price=7000))
    conditional = buy.pledged[1].pledger
    assert given(buy, Extend(DEADLINE + 1, 5)) == [Extended(DEADLINE + 1, (conditional,))]
    assert after(buy, Extend(DEADLINE + 1, 5)).terms.deadline_at == DEADLINE + 1
    assert decide(buy, Extend(DEADLINE, 5)) == Refusal(Reason.BAD_DEADLINE, {"why": "not_later"})
    assert refused(decide(buy, Extend(DEADLINE + 1, DEADLINE))) is Reason.NOT_OPEN


def test_a_deadline_comes_nearer_with_a_days_notice_only() -> None:
    buy = a_buy(deadline_at=3 * NOTICE_MS)
    assert NOTICE_MS == 24 * 60 * 60 * 1000
    assert given(buy, Shorten(NOTICE_MS + 7, 7)) == [Shortened(NOTICE_MS + 7)]
    assert after(buy, Shorten(NOTICE_MS + 7, 7)).terms.deadline_at == NOTICE_MS + 7
    assert decide(buy, Shorten(NOTICE_MS + 6, 7)) == Refusal(Reason.BAD_DEADLINE, {"why": "notice"})
    assert decide(buy, Shorten(3 * NOTICE_MS, 7)) == Refusal(Reason.BAD_DEADLINE, {"why": "not_earlier"})


def test_grace_after_an_outage_moves_a_past_deadline_and_suspends_nobody() -> None:
    buy = after(a_buy(), put(ANA, 4, 1, max_price=7000))
    assert given(buy, Grace(DEADLINE + 50, DEADLINE)) == [GraceGiven(DEADLINE + 50)]
    buy = after(buy, Grace(DEADLINE + 50, DEADLINE + 20))
    assert not buy.suspended()
    assert after(buy, add(ANA, 1, 2, received_at=DEADLINE + 49)).units_of(ANA) == 5
    assert refused(decide(buy, add(ANA, 1, 2, received_at=DEADLINE + 50))) is Reason.TOO_LATE


@pytest.mark.parametrize(("deadline_at", "now"), [(DEADLINE + 50, DEADLINE - 1), (DEADLINE + 50, DEADLINE + 50)])
def test_there_is_no_grace_before_the_deadline_nor_into_the_past(deadline_at: int, now: int) -> None:
    assert decide(a_buy(), Grace(deadline_at, now)) == Refusal(Reason.BAD_DEADLINE, {"why": "no_grace"})


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OPEN])
def test_grace_reopens_nothing_that_was_closed(status: Status) -> None:
    assert refused(decide(a_buy(status), Grace(DEADLINE + 50, DEADLINE))) is Reason.NOT_OPEN
