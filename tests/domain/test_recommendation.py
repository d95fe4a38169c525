"""What a recommendation is credited with."""

import pytest

from appservice.domain.ids import EventId, GroupId, Number, ProductId
from appservice.domain.pledger import Pledger
from appservice.domain.recommendation import NO_PRAISE, Bought, Credit, Praise, Recommendation, credit
from appservice.present.words.recommendations import praise_line

HERE, ELSEWHERE = GroupId("here"), GroupId("elsewhere")
OTTER, LYNX, FOX = (Pledger(HERE, Number(n)) for n in (1, 2, 3))
SAID = Recommendation(ProductId("p"), OTTER, "warm", EventId("$e"), at=100)


def test_it_counts_what_others_of_the_group_order_afterwards() -> None:
    bought = [
        Bought(LYNX, 2, 101),
        Bought(LYNX, 3, 300),
        Bought(FOX, 4, 300),
        Bought(FOX, 0, 400),  # nothing arrived
        Bought(LYNX, 5, 100),  # not after it
        Bought(OTTER, 6, 200),  # the recommender's own
        Bought(Pledger(ELSEWHERE, Number(2)), 7, 200),
    ]
    assert credit(SAID, bought) == Credit(units=9, members=2)
    assert credit(SAID, []) == Credit(0, 0)


@pytest.mark.parametrize(
    ("praise", "line"),
    [
        (NO_PRAISE, []),
        (Praise(1, 0), ["Recommended by 1 member"]),
        (Praise(0, 1), ["1 like"]),
        (Praise(3, 5), ["Recommended by 3 members, 5 likes"]),
    ],
)
def test_the_card_says_how_many(praise: Praise, line: list[str]) -> None:
    assert praise_line(praise) == line
