"""What follows when a concierge opens a buy, or changes its terms or its deadline."""

from dataclasses import replace
from typing import assert_never

from appservice.domain.group_buy.fact import (
    Extended,
    Fact,
    GraceGiven,
    Opened,
    Scheduled,
    Shortened,
    TermsImproved,
)
from appservice.domain.group_buy.request import Extend, Grace, Improve, Open, Schedule, Shorten
from appservice.domain.group_buy.state import GroupBuy
from appservice.domain.group_buy.status import Status
from appservice.domain.group_buy.terms import check_better, check_terms
from appservice.domain.refusal import Reason, Refusal, refuse

NOTICE_MS = 24 * 3_600_000
"""A deadline may come nearer, but not nearer than this."""

Plan = Schedule | Open | Improve | Extend | Shorten | Grace


def decide_plan(buy: GroupBuy, request: Plan) -> list[Fact] | Refusal:
    """Give the facts, tiers that are reached by them left aside, or why there are none."""
    match request:
        case Schedule(received_at):
            return _schedule(buy, received_at)
        case Open(received_at):
            return _open(buy, received_at)
        case Improve():
            return _improve(buy, request)
        case Extend() | Shorten() | Grace():
            # A buy that a concierge has closed stays closed, so that grace is for an open one only.
            return _move(buy, request) if buy.status is Status.OPEN else refuse(Reason.NOT_OPEN)
        case _:
            assert_never(request)


def _schedule(buy: GroupBuy, received_at: int) -> list[Fact] | Refusal:
    if not buy.status.leads_to(Status.SCHEDULED):
        return refuse(Reason.WRONG_STEP, status=buy.status, to=Status.SCHEDULED, allowed=())
    opens_at = buy.terms.opens_at
    if opens_at is None or opens_at <= received_at:
        return refuse(Reason.BAD_DEADLINE, why="no_opening")
    return check_terms(buy.terms, received_at) or [Scheduled(opens_at)]


def _open(buy: GroupBuy, received_at: int) -> list[Fact] | Refusal:
    if not buy.status.leads_to(Status.OPEN):
        return refuse(Reason.WRONG_STEP, status=buy.status, to=Status.OPEN, allowed=())
    planned = buy.terms.opens_at if buy.status is Status.SCHEDULED else None
    # The timer that opens a scheduled buy may be late; what was journaled since the promised time is in time.
    opens_at = received_at if planned is None else min(planned, received_at)
    return check_terms(replace(buy.terms, opens_at=opens_at), received_at) or [Opened(opens_at)]


def _improve(buy: GroupBuy, request: Improve) -> list[Fact] | Refusal:
    terms = request.terms
    if not buy.status.is_planned and buy.status is not Status.OPEN:
        return refuse(Reason.NOT_OPEN)
    if buy.frozen:
        refusal = check_better(buy.terms, terms)
        if refusal is not None:
            return refusal
    if buy.status is Status.OPEN and terms.opens_at != buy.terms.opens_at:
        return refuse(Reason.NOT_BETTER, why="frozen")
    if buy.status is Status.SCHEDULED and (terms.opens_at is None or terms.opens_at <= request.received_at):
        return refuse(Reason.BAD_DEADLINE, why="no_opening")
    return check_terms(terms, request.received_at) or [TermsImproved(terms)]


def _move(buy: GroupBuy, request: Extend | Shorten | Grace) -> list[Fact] | Refusal:
    old, new, now = buy.terms.deadline_at, request.deadline_at, request.received_at
    match request:
        case Grace():
            if now < old or new <= now:
                return refuse(Reason.BAD_DEADLINE, why="no_grace")
            return [GraceGiven(new, request.quiet)]
        case _ if now >= old:
            return refuse(Reason.NOT_OPEN)
        case Extend():
            if new <= old:
                return refuse(Reason.BAD_DEADLINE, why="not_later")
            conditional = (tranche.pledger for tranche in buy.pledged if tranche.max_price is not None)
            return [Extended(new, tuple(dict.fromkeys(conditional)))]
        case _:
            if new >= old:
                return refuse(Reason.BAD_DEADLINE, why="not_earlier")
            if new < now + NOTICE_MS:
                return refuse(Reason.BAD_DEADLINE, why="notice")
            return [Shortened(new)]
