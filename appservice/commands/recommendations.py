"""!recommend."""

from appservice.actions import products, recommending
from appservice.actions.work import Work
from appservice.commands.command import Call, Command, call_example, one_group, usage
from appservice.domain.cause import Place
from appservice.domain.group import Group
from appservice.domain.member import Role
from appservice.domain.product import Product
from appservice.domain.recommendation import LONGEST_WHY
from appservice.domain.refusal import Reason, Refusal, refuse
from appservice.domain.text import clean_name, without_ids

_RECOMMEND = "!recommend merino-throw warm, and soft after ten washes (or as a reply to its card, without the name)"
_MOST_NAME_WORDS = 8


async def _recommend(work: Work, call: Call) -> Refusal | None:
    example = call_example("recommend", call)
    found = await one_group(work, call, Role.MEMBER, call.words(), example, free_text=True)
    if isinstance(found, Refusal):
        return found
    group, _, words = found
    product, words = await _named(work, group, call, words)
    if isinstance(product, Refusal):
        return product
    text = without_ids(" ".join(words))
    why = clean_name(text, LONGEST_WHY)
    if why is None:
        return refuse(Reason.TOO_LONG, most=LONGEST_WHY) if len(text) > LONGEST_WHY else usage(_RECOMMEND)
    return await recommending.recommend(work, product, why)


async def _named(work: Work, group: Group, call: Call, words: list[str]) -> tuple[Product | Refusal, list[str]]:
    """Give the product that is meant, by the card replied to or by the first words, and the words after it."""
    known = await work.unit.products.shown_in(group.id)
    replied = await recommending.product_of_card(work, call.reply_to) if call.reply_to else None
    if replied is not None and replied in known:
        return replied, words
    for count in range(min(len(words), _MOST_NAME_WORDS), 1, -1):
        name = " ".join(words[:count]).casefold()
        exact = [product for product in known if name == product.name.casefold()]
        if len(exact) == 1:
            return exact[0], words[count:]
    if not words:
        return usage(_RECOMMEND), []
    chosen = products.choose(known, words[0])
    if isinstance(chosen, Refusal) and chosen.reason is Reason.NO_PRODUCT:
        return refuse(Reason.NOTHING_TO_RECOMMEND, product=words[0]), []
    return chosen, words[1:]


COMMANDS = (
    Command(
        "recommend", _RECOMMEND, "say why a product is good", Role.MEMBER, _recommend,
        frozenset({Place.GROUP, Place.DIRECT}),
    ),
)  # fmt: skip
