"""The figures of a desk, compared with a slow recomputation of random ledgers that reads each figure for itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from appservice.domain.duration import DAY_MS, HOUR_MS
from appservice.domain.figures import Figures, Times, Turnover, ages, figures, nearest_rank, read, usual_answer
from appservice.domain.record import Record, record

EVENTS = (
    "answer", "answer", "peer", "accept", "remove", "resolve", "undo", "withdraw", "reopen", "claim",
)  # fmt: skip
SALES = ("pledged", "recommended", "recommended", "order", "order", "duty_on", "duty_off", "left")
START, END, NOW = 10 * DAY_MS, 17 * DAY_MS, 20 * DAY_MS


@dataclass(frozen=True)
class Line:
    """A line of the ledger."""

    fact: str
    at: int
    number: int | None = None
    actor: int | None = None
    buy_id: str | None = None
    amount: int = 0
    currency: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


def service(start: int, end: int) -> int:
    """Service hours that are the first half of each hour."""

    def before(at: int) -> int:
        return at // HOUR_MS * (HOUR_MS // 2) + min(at % HOUR_MS, HOUR_MS // 2)

    return before(end) - before(start)  # fmt: skip


def of(lines: Sequence[Line], start: int = START, end: int = END, now: int = NOW) -> Figures:
    return figures(read(lines), start, end, now, service)


# Random ledgers


@st.composite
def questions(draw: st.DrawFn, id: str) -> list[Line]:
    """What happened to one question, in order."""
    at = draw(st.integers(START - DAY_MS, END + DAY_MS))
    asker = draw(st.integers(1, 9))
    lines, episode = [], 1

    def add(fact: str, actor: int | None, **detail: object) -> None:
        lines.append(Line(fact, at, asker, actor, detail={"question": id, "episode": episode, **detail}))

    add("question_asked", asker, at=at, direct=False)
    for said in range(draw(st.integers(0, 9))):
        at = min(at + draw(st.integers(0, DAY_MS // 2)), NOW - 1)
        who = draw(st.sampled_from((20, 21)))
        match draw(st.sampled_from(EVENTS)):
            case "answer":
                add("question_answered", who, at=at, event=f"{id}{said}")
            case "peer":
                add("question_peer_answered", draw(st.integers(10, 12)), at=at, event=f"{id}{said}")
            case "accept":
                add("question_accepted", who, peer=draw(st.integers(10, 12)))
                add("question_resolved", who)
            case "remove":
                add("question_answer_removed", who, event=f"{id}{draw(st.integers(0, said))}")
            case "resolve":
                add("question_resolved", who)
            case "undo":
                add("question_unresolved", who)
            case "withdraw":
                add("question_withdrawn", asker)
            case "reopen":
                episode += 1
                add("question_reopened", asker, at=at)
            case _:
                add("question_claimed", who)
    return lines


@st.composite
def orders(draw: st.DrawFn) -> list[Line]:
    """Pledges, words for products, orders and what became of them, and duty."""
    lines = [Line("drafted", 0, actor=20, buy_id=f"b{n}", detail={"product": f"p{n % 2}"}) for n in range(3)]
    times = st.integers(START - DAY_MS, NOW - 1)
    for n in range(draw(st.integers(0, 25))):
        at, number, buy = draw(times), draw(st.integers(1, 9)), f"b{draw(st.integers(0, 2))}"
        match draw(st.sampled_from(SALES)):
            case "pledged":
                lines.append(Line("pledged", at, number, number, buy))
            case "recommended":
                lines.append(Line("recommended", at, number, detail={"product": f"p{draw(st.integers(0, 1))}"}))
            case "order":
                currency = draw(st.sampled_from(("EUR", "EUR", "JPY")))
                total = draw(st.integers(1, 10_000))
                lines.append(Line("order", at, number, 20, buy, total, currency, {"order": {"id": f"o{n}"}}))
                lines += draw(after_it(f"o{n}", at, number, buy, total, currency))
            case duty:
                lines.append(Line(duty, at, draw(st.integers(20, 22))))
    return sorted(lines, key=lambda line: line.at)


@st.composite
def after_it(draw: st.DrawFn, id: str, at: int, number: int, buy: str, total: int, currency: str) -> list[Line]:
    detail: dict[str, Any] = {"order_id": id}
    match draw(st.sampled_from(("nothing", "nothing", "paid", "short", "dropped"))):
        case "paid":
            return [Line("payment", at, number, 20, buy, -total, currency, {"payment": detail})]
        case "short":
            less = draw(st.integers(0, total))
            return [Line("order_arrived", at, number, 20, buy, -less, currency, detail)]
        case "dropped":
            return [Line("dropped", at, number, 20, buy, -total, currency, detail)]
        case _:
            return []


@st.composite
def ledgers(draw: st.DrawFn) -> list[Line]:
    lines = [line for n in range(draw(st.integers(0, 14))) for line in draw(questions(f"q{n}"))]
    return sorted([*lines, *draw(orders())], key=lambda line: line.at)


# The same again, one figure at a time


def few(numbers: Sequence[int | None]) -> bool:
    return len(set(numbers)) in (1, 2, 3, 4)


def history(lines: Sequence[Line], id: str, episode: int | None = None) -> list[Line]:
    mine = [line for line in lines if line.detail.get("question") == id]
    return mine if episode is None else [line for line in mine if line.detail["episode"] == episode]


def last(lines: Sequence[Line], *facts: str) -> str | None:
    return next((line.fact for line in reversed(lines) if line.fact in facts), None)


def standing(lines: Sequence[Line], fact: str) -> list[Line]:
    """Answers of a kind that nobody has removed afterwards."""
    return [
        line for place, line in enumerate(lines)
        if line.fact == fact and not any(
            later.fact == "question_answer_removed" and later.detail["event"] == line.detail["event"]
            for later in lines[place:]
        )
    ]  # fmt: skip


def taken_back(lines: Sequence[Line]) -> bool:
    facts = ("question_withdrawn", "question_unresolved", "question_reopened")
    return last(lines, *facts) == "question_withdrawn"


def first_answer(lines: Sequence[Line]) -> Line | None:
    answers = standing(lines, "question_answered")
    return sorted(answers, key=lambda line: int(line.detail["at"]))[0] if answers else None


def credited(lines: Sequence[Line]) -> bool:
    accepted = [line.detail["peer"] for line in lines if line.fact == "question_accepted"][-1:]
    return any(line.actor in accepted for line in standing(lines, "question_peer_answered"))


def closed(lines: Sequence[Line]) -> bool:
    facts = ("question_resolved", "question_withdrawn", "question_unresolved")
    return last(lines, *facts) in facts[:2]


def cohort(lines: Sequence[Line], start: int, end: int) -> list[Line]:
    return [line for line in lines if line.fact == "question_asked" and start <= line.detail["at"] < end]


def episodes(lines: Sequence[Line], asked: Sequence[Line]) -> list[list[Line]]:
    """The lines of each episode that counts."""
    found = []
    for line in asked:
        id = line.detail["question"]
        if taken_back(history(lines, id)):
            continue
        for episode in range(1, 1 + max(one.detail["episode"] for one in history(lines, id))):
            mine = history(lines, id, episode)
            thanks = episode > 1 and closed(mine) and not first_answer(mine) and not credited(mine)
            found += [] if thanks else [mine]
    return found


def rank(values: Sequence[int], percent: int) -> int:
    """The least value such that so many per cent are not above it."""
    return next(v for v in sorted(values) if 100 * sum(other <= v for other in values) >= percent * len(values))


def timed(counted: Sequence[Sequence[Line]], of_service: bool) -> Times | None:
    pairs = [(one[0].number, one[0].detail["at"], answer.detail["at"])
             for one in counted if (answer := first_answer(one)) is not None]  # fmt: skip
    if len({number for number, *_ in pairs}) < 5:
        return None
    took = [service(a, b) if of_service else b - a for _, a, b in pairs]
    return Times(rank(took, 50), rank(took, 90))


def expected(lines: Sequence[Line], start: int, end: int, now: int) -> dict[str, Any]:
    asked = cohort(lines, start, end)
    kept = [line for line in asked if not taken_back(history(lines, line.detail["question"]))]
    counted = episodes(lines, asked)
    askers = [line.number for line in kept]
    said = [line for line in lines if line.fact == "recommended" and start <= line.at < end]
    made = {line.detail["order"]["id"]: line for line in lines if line.fact == "order"}
    live = {id: line for id, line in made.items()
            if not any(one.fact == "dropped" and one.detail["order_id"] == id for one in lines)}  # fmt: skip
    product = {line.buy_id: line.detail["product"] for line in lines if line.fact == "drafted"}
    by_peer = [one for one in counted if credited(one)]
    by_concierge = [one for one in counted if first_answer(one) and not credited(one)]
    led = [line for line in kept if any(
        one.fact == "pledged" and one.number == line.number and 0 <= one.at - line.detail["at"] <= 72 * HOUR_MS
        for one in lines)]  # fmt: skip
    followed = [line for line in live.values() if any(
        one.detail["product"] == product[line.buy_id] and one.number != line.number and one.at < line.at
        for one in said)]  # fmt: skip
    no = few(askers)
    return {
        "questions": None if no else len(kept),
        "askers": None if no else len(set(askers)),
        "withdrawn": None if few([line.number for line in asked]) else len(asked) - len(kept),
        "reopened": None if no else len(counted) - len(kept),
        "by_concierge": None if no else len(by_concierge),
        "by_peer": None if no else len(by_peer),
        "by_nobody": None if no else len([one for one in counted if not first_answer(one) and not credited(one)]),
        "wall": timed(counted, False),
        "service": timed(counted, True),
        "pledged": None if no else len(led),
        "recommended": None if few([line.number for line in said]) else len(said),
        "ordered": None if few([line.number for line in said]) else len(followed),
        "authors": {who: len(theirs) for who in (20, 21) if not_few(theirs := answered_by(by_concierge, who))},
    }  # fmt: skip


def answered_by(counted: Sequence[list[Line]], who: int) -> list[list[Line]]:
    return [one for one in counted if (answer := first_answer(one)) is not None and answer.actor == who]


def not_few(counted: Sequence[list[Line]]) -> bool:
    return len({one[0].number for one in counted}) >= 5


def turnover(lines: Sequence[Line], start: int, end: int, now: int) -> dict[str, tuple[int, int | None]] | None:
    made = [line for line in lines if line.fact == "order" and start <= line.at < end]
    gone = {line.detail["order_id"] for line in lines if line.fact == "dropped"}
    made = [line for line in made if line.detail["order"]["id"] not in gone]
    if few([line.number for line in made]):
        return None
    sums: dict[str, int] = {}
    for line in made:
        id = line.detail["order"]["id"]
        less = sum(one.amount for one in lines if one.fact == "order_arrived" and one.detail["order_id"] == id)
        sums[str(line.currency)] = sums.get(str(line.currency), 0) + line.amount + less
    duty = on_duty(lines, start, min(end, now))
    return {c: (s, (s * HOUR_MS * 2 + duty) // (duty * 2) if duty else None) for c, s in sums.items()}


def on_duty(lines: Sequence[Line], start: int, end: int) -> int:
    """For each stretch between two lines of a concierge, whether the last word before it was on."""
    total = 0
    for who in (20, 21, 22):
        words = [line for line in lines if line.number == who and line.fact in ("duty_on", "duty_off", "left")]
        for place, line in enumerate(words):
            until = words[place + 1].at if place + 1 < len(words) else end
            if line.fact == "duty_on":
                total += max(0, min(until, end) - max(line.at, start))
    return total


@settings(max_examples=300, deadline=None)
@given(ledgers())
def test_figures_are_those_of_a_recomputation_that_reads_each_for_itself(lines: list[Line]) -> None:
    found = of(lines)
    for name, value in expected(lines, START, END, NOW).items():
        assert (dict(found.authors) if name == "authors" else getattr(found, name)) == value, name
    told = found.turnover
    assert (None if told is None else {t.currency: (t.amount, t.per_hour) for t in told}) == turnover(
        lines, START, END, NOW
    )
    waiting = []
    for line in cohort(lines, 0, NOW):
        mine = history(lines, line.detail["question"])
        newest = history(lines, line.detail["question"], max(one.detail["episode"] for one in mine))
        if not taken_back(mine) and not closed(newest) and not first_answer(newest):
            waiting.append((line.number, NOW - newest[0].detail["at"]))
    is_few = few([number for number, _ in waiting])
    assert ages(read(lines), NOW) == (None if is_few else sorted((age for _, age in waiting), reverse=True))


@given(st.lists(st.integers(0, 1000), min_size=1), st.sampled_from((50, 90)))
def test_a_percentile_is_the_least_value_that_enough_are_not_above(values: list[int], percent: int) -> None:
    assert nearest_rank(values, percent) == rank(values, percent)


# By hand


def asked(n: int, asker: int, at: int = START) -> Line:
    return Line("question_asked", at, asker, asker, detail={"question": f"q{n}", "episode": 1, "at": at})


def answered(n: int, asker: int, at: int, by: int = 20, episode: int = 1) -> Line:
    detail = {"question": f"q{n}", "episode": episode, "at": at, "event": f"a{n}"}
    return Line("question_answered", at, asker, by, detail=detail)


FIVE = [line for n in range(1, 6) for line in (asked(n, n), answered(n, n, START + n * HOUR_MS))]


def test_of_five_members_there_are_figures_and_of_four_none() -> None:
    found = of(FIVE)
    assert (found.questions, found.askers, found.by_concierge) == (5, 5, 5)
    assert found.wall == Times(3 * HOUR_MS, 5 * HOUR_MS)
    assert found.service == Times(3 * HOUR_MS // 2, 5 * HOUR_MS // 2)
    assert found.authors == ((20, 5),)
    fewer = of([*FIVE[:-2], asked(9, 1)])
    assert (fewer.questions, fewer.askers, fewer.by_concierge, fewer.wall, fewer.authors) == (None,) * 4 + ((),)


def test_a_word_of_thanks_that_a_concierge_closes_is_not_counted_but_one_that_waits_is() -> None:
    again = {"question": "q1", "episode": 2}
    reopened = Line("question_reopened", START + DAY_MS, 1, 1, detail={**again, "at": START + DAY_MS})
    waiting = of([*FIVE, reopened])
    assert (waiting.reopened, waiting.by_nobody) == (1, 1)
    thanks = of([*FIVE, reopened, Line("question_resolved", START + DAY_MS + 1, 1, 20, detail=again)])
    assert (thanks.reopened, thanks.by_nobody, thanks.wall) == (0, 0, of(FIVE).wall)


def test_the_usual_answer_is_of_the_last_thirty_days_and_on_demand_of_one_concierge() -> None:
    reading = read(FIVE)
    assert usual_answer(reading, NOW, service) == 3 * HOUR_MS // 2
    assert usual_answer(reading, NOW, service, concierge=20) == 3 * HOUR_MS // 2
    assert usual_answer(reading, NOW, service, concierge=21) is None
    assert usual_answer(reading, START + 31 * DAY_MS, service) is None


def test_a_question_asked_when_the_period_is_over_belongs_to_the_next() -> None:
    late = [asked(n, n, END) for n in range(1, 6)]
    assert (of(late).questions, of(late, END, END + DAY_MS).questions) == (0, 5)


def peer(n: int, fact: str, **detail: object) -> Line:
    about = {"question": f"q{n}", "episode": 1, "at": START + 1, "event": f"p{n}"}
    return Line(fact, START + 1, n, 9, detail={**about, **detail})


def test_an_accepted_answer_is_its_authors_and_no_concierges_until_it_is_removed() -> None:
    accepted = [*FIVE, peer(1, "question_peer_answered"), peer(1, "question_accepted", peer=9)]
    assert (of(accepted).by_peer, of(accepted).by_concierge, of(accepted).authors) == (1, 4, ())
    removed = of([*accepted, peer(1, "question_answer_removed")])
    assert (removed.by_peer, removed.by_concierge, removed.authors) == (0, 5, ((20, 5),))


def test_orders_that_stand_and_that_others_placed_later_follow_a_recommendation() -> None:
    lines = [Line("drafted", 0, actor=20, buy_id=buy, detail={"product": buy}) for buy in ("a", "b")]
    lines += [Line("recommended", START + n, n, detail={"product": "a" if n == 1 else "c"}) for n in range(1, 6)]

    def after(*orders: tuple[str, int, int], dropped: bool = False) -> int | None:
        made = [Line("order", at, n, 20, buy, 100, "EUR", {"order": {"id": f"o{n}"}}) for buy, n, at in orders]
        gone = [Line("dropped", NOW - 1, n, 20, buy, -100, "EUR", {"order_id": f"o{n}"}) for buy, n, _ in orders]
        return of([*lines, *made, *(gone if dropped else [])]).ordered

    later = START + DAY_MS
    assert after(("a", 2, later), ("a", 7, later)) == 2
    assert after(("a", 1, later)) == 0, "their own"
    assert after(("b", 2, later)) == 0, "another product"
    assert after(("a", 2, START)) == 0, "ordered before"
    assert after(("a", 2, later), dropped=True) == 0


def test_turnover_is_divided_by_the_hours_on_duty_in_the_period_alone() -> None:
    orders = [Line("order", START, n, 20, "a", 100, "EUR", {"order": {"id": f"o{n}"}}) for n in range(1, 6)]
    duty = [Line("duty_on", END - 2 * HOUR_MS, 20), Line("duty_on", END - HOUR_MS, 20), Line("duty_off", NOW, 20)]
    assert of([*orders, *duty]).turnover == (Turnover("EUR", 500, 250),)
    assert of(orders).turnover == (Turnover("EUR", 500, None),), "nobody was on duty"
    assert of(orders[:4]).turnover is None


# Records


def bought(buy: str, buyers: int, *, paid: bool = True) -> list[Line]:
    """A buy that succeeded with an order of 100 for each of some members, paid."""
    lines = [Line("drafted", 0, actor=20, buy_id=buy), Line("succeeded", 10, actor=20, buy_id=buy)]
    for n in range(1, buyers + 1):
        lines.append(Line("order", 10, n, 20, buy, 100, "EUR", {"order": {"id": f"{buy}o{n}"}}))
        detail = {"payment": {"order_id": f"{buy}o{n}"}}
        lines += [Line("payment", 20, n, 20, buy, -100, "EUR", detail)] if paid else []
    return lines


def called_off(buy: str, buyers: int, at: int) -> list[Line]:
    lines = [Line("cancelled", at, actor=20, buy_id=buy)]
    detail = [{"order_id": f"{buy}o{n}"} for n in range(1, buyers + 1)]
    return lines + [Line("order_cancelled", at, n, 20, buy, -100, "EUR", one) for n, one in enumerate(detail, 1)]


def refunded(buy: str, n: int, at: int, amount: int = 100) -> Line:
    return Line("refund", at, n, 20, buy, amount, "EUR", {"payment": {"order_id": f"{buy}o{n}"}})


def test_a_record_counts_buys_kept_and_cancelled_and_an_open_one_as_neither() -> None:
    lines = [*bought("a", 3), *bought("b", 3), *called_off("b", 3, 50), Line("drafted", 0, actor=20, buy_id="c")]
    lines += [Line("drafted", 0, actor=20, buy_id="d"), Line("failed", 9, buy_id="d")]
    found = record(lines, None)
    assert (found.kept, found.cancelled) == (1, 1)


def test_refunds_count_from_the_cancellation_and_are_owed_until_the_last_is_made() -> None:
    lines = [*bought("a", 6), *called_off("a", 6, 50)]
    back = [refunded("a", n, 50 + 10 * n) for n in range(1, 7)]
    assert record(lines, None) == Record(0, 1, None, owes=True)
    assert record([*lines, *back[:4]], None) == Record(0, 1, None, owes=True), "four members"
    assert record([*lines, *back[:5]], None) == Record(0, 1, 30, owes=True)
    assert record([*lines, *back], None) == Record(0, 1, 30, owes=False)


def test_after_a_short_delivery_what_was_paid_too_much_is_owed_and_counts_from_then() -> None:
    short = [Line("order_arrived", 100, n, 20, "a", -40, "EUR", {"order_id": f"ao{n}"}) for n in range(1, 6)]
    lines = [*bought("a", 5), *short]
    assert record(lines, None) == Record(1, 0, None, owes=True)
    assert record([*lines, *(refunded("a", n, 107, 40) for n in range(1, 6))], None) == Record(1, 0, 7, owes=False)


def test_who_has_not_paid_is_owed_nothing_when_a_buy_is_called_off() -> None:
    assert record([*bought("a", 5, paid=False), *called_off("a", 5, 50)], None) == Record(0, 1, None, owes=False)
