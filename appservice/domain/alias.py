"""Aliases: the names under which the service speaks of members, never a Matrix ID, phone number or e-mail address.

Unique in a group by what people see, not by code points: see `alias_key`. Which phone numbers there are comes from
Google's libphonenumber (E.164 and the national plans), which letters look alike from Unicode's confusables.txt
(UTS 39), by way of the confusable-homoglyphs library.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from random import Random

from phonenumbers import PhoneNumberMatcher

from appservice.domain.refusal import Reason, Refusal, refuse

# How many aliases one person may take in a group in all, the generated one included: none is ever given to anybody
# else, so without a limit one member could use up the good ones, or turn up as somebody new every week.
MOST_ALIASES = 5
FEWEST_CHARACTERS, MOST_CHARACTERS, _FEWEST_LETTERS = 2, 32, 2

_LONGEST_TYPED = 4 * MOST_CHARACTERS  # with marks not yet composed, and spaces
_LONGEST_LOOKED_AT = 128  # of a display name; clients show less
_MOST_DIGITS = 4
_MOST_ACCENTS, _MOST_MARKS = 2, 3  # on one letter; Vietnamese needs two, Burmese three: vowels are marks there
_PUNCTUATION = frozenset("-'’._&")
# Letters and marks by their category, yet nothing is seen: Default_Ignorable_Code_Point of the Unicode database.
_UNSEEN = frozenset(
    map(chr, [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)])
) | frozenset(map(chr, range(0xE0100, 0xE01F0)))
# Greek eta, nu, upsilon: the capitals look like H, N, Y and the small letters like n, v, u.
_TWO_FACED = frozenset("\u03b7\u03bd\u03c5")
# The lunate sigma looks like c, but is normalized to a sigma, which looks like o.
_LUNATE = str.maketrans("\u03f2\u03f9", "cC")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# Where a number without its country code is looked for; most other numbering plans are much like one of these.
_REGIONS = _words(
    "AT DE CH LU LI FR BE NL GB IE ES PT IT GR CY MT DK NO SE FI IS EE LV LT PL CZ SK HU SI HR RS BA MK AL BG RO MD"
    " UA RU TR IL EG MA NG KE ZA IN PK BD LK CN HK TW JP KR SG MY TH VN PH ID AU NZ US MX BR AR CL CO PE"
)
_FEWEST_PHONE_DIGITS = 6
_MOST_TRIES = 5  # in each region: what stands further back in a name of digits is not worth the time
_ADDRESS = re.compile(r"[^\s@]@[^\s@]|@[^\s:@]+:[^\s@]")
_URL = re.compile(r"\s*(?:[a-z][a-z0-9+.-]*://|(?:https?|mailto|matrix|sip|sms|tel|xmpp):|www\d?\.)", re.IGNORECASE)
# Letters, since the matcher skips what touches one (ana0660123456); 2024/2025 and dates, which are numbers in Denmark.
_NO_PHONE = re.compile(r"[^\W\d_]+|(?<!\d)(?:19|20)\d\d[-/–](?:(?:19|20)\d\d|\d\d[-/]\d\d)(?!\d)")

_TITLES = _words(
    "coterie service bot system admin administrator mod moderator concierge owner operator support staff desk sponsor"
    " merchant everyone someone room here member group"
)

# Curated here rather than taken from a library: coolname's animals and adjectives hold people's names, breeds,
# nationalities and insults, and a word that it adds tomorrow would be shown unread.
_ADJECTIVES = _words(
    "Adept Agile Airy Amiable Artful Attentive Balmy Bold Brave Breezy Bright Brisk Calm Candid Carefree"
    " Careful Caring Cheerful Chirpy Clever Coastal Cosmic Cosy Crisp Curious Dapper Daring Dazzling Devoted Diligent"
    " Dreamy Eager Early Elegant Fabled Fearless Festive Fleet Fluent Fond Friendly Frosty Gallant Generous Genial"
    " Gentle Glad Gleaming Glowing Golden Graceful Happy Hearty Helpful Honest Hopeful Humble Hushed Intrepid"
    " Inventive Jaunty Jolly Jovial Joyful Jubilant Keen Kind Leisurely Lively Lofty Loyal Lucid Lucky Lunar Lyrical"
    " Majestic Mellow Mighty Mindful Modest Moonlit Musical Neat Nimble Observant Peaceful Pensive Placid Playful"
    " Plucky Poised Polite Prompt Punctual Quick Quiet Radiant Rapid Resolute Restful Roaming Rustic Sensible Serene"
    " Shining Silent Silver Sincere Snug Solar Sparkling Spirited Sprightly Spry Starry Steady Subtle Sunlit Swift"
    " Tactful Thankful Thoughtful Tidy Tranquil Trusty Twinkling Unhurried Upbeat Valiant Velvet Verdant Vibrant"
    " Vivid Wandering Warm Watchful Whimsical Wise Witty Wonderful Zesty Zippy"
)
_NOUNS = _words(
    "Acorn Alder Alpaca Anemone Antelope Apricot Badger Bamboo Barley Beech Begonia Bergamot Bilberry Birch Bison"
    " Bluebell Blueberry Bracken Buckwheat Bullfinch Bumblebee Buttercup Butterfly Capybara Cardamom Cedar Chaffinch"
    " Chamois Chamomile Chestnut Chinchilla Cinnamon Cloudberry Cornflower Cowslip Cranberry Cricket Crocus Curlew"
    " Cypress Dandelion Deer Dolphin Dormouse Dragonfly Elderberry Elk Fennel Firefly Flamingo Gardenia Gecko"
    " Geranium Giraffe Goldfinch Gooseberry Gorse Grasshopper Hare Harebell Hawthorn Hedgehog Heron Hibiscus Hornbeam"
    " Hummingbird Ibex Kestrel Koala Lapwing Larch Lemur Lilac Lingonberry Llama Mangrove Maple Marmot Meerkat Moose"
    " Narwhal Nutmeg Oak Octopus Orchid Otter Owl Pangolin Papyrus Parsley Peony Pistachio Platypus Plover Plum"
    " Pomegranate Puffin Quail Quince Quokka Salamander Sandpiper Seahorse Skylark Snowdrop Sorrel Sparrow Speedwell"
    " Spruce Squirrel Starling Stork Sunflower Swan Sycamore Tamarind Tapir Teasel Thistle Thyme Tortoise Toucan"
    " Tulip Turtle Vole Wallaby Walnut Wisteria Wombat Yarrow Zebra"
)


def parse_alias(text: str) -> str | Refusal:
    """Give the alias that a person asks for as it will be shown (NFC, single spaces), or why they cannot have it.

    BAD_ALIAS: not 2 to 32 characters with two letters, or other than letters, digits, spaces and - ' ’ . _ &.
    REVEALING_ALIAS: like an address, a link, or with more digits than four. RESERVED_ALIAS: what the service or an
    official would be called, or a member without an alias ("Member 7", "group 2, no. 17").
    """
    if len(text) > _LONGEST_TYPED:
        return refuse(Reason.BAD_ALIAS)
    if _reveals(text):
        return refuse(Reason.REVEALING_ALIAS)
    alias = _tidy(text)
    if _is_reserved(alias):
        return refuse(Reason.RESERVED_ALIAS)
    return alias if _is_well_formed(alias) else refuse(Reason.BAD_ALIAS)


def alias_key(text: str) -> str:
    """Give the form under which two aliases count as the same: what is left of a text once it is only looked at.

    Case, accents, spaces and punctuation go; letters that look alike become one (UTS 39, "skeleton"), so that
    `Otter`, `0TTER`, `Öttér` and `o.t.t.e.r` are all `otter`, and `Mia` is `rnla`. Empty if nothing is left, as of
    an emoji. Applying it twice changes nothing. A newer Python or confusables table may give other keys, so keys
    that were stored are worth making anew after an upgrade.
    """
    alike = _look_alikes()
    return unicodedata.normalize("NFKD", "".join(alike.get(char, char) for char in _bare(text)))


def looks_revealing(display_name: str) -> bool:
    """Tell whether a display name shows a phone number, an e-mail address or a Matrix ID.

    For a private hint to its owner, so it leaves `Agent 007` in peace; only the first 128 characters count.
    """
    text = _plain(display_name[:_LONGEST_LOOKED_AT])
    return _ADDRESS.search(text) is not None or _shows_phone(text)


def friendly_alias(random: Random) -> str:
    """Give a two-word alias such as `Quiet Heron`, one of more than 15,000 with as many keys."""
    return f"{random.choice(_ADJECTIVES)} {random.choice(_NOUNS)}"


def _tidy(text: str) -> str:
    """Make every kind of space (category Zs) one plain space; controls stay, to be refused."""
    spaced = (" " if unicodedata.category(char) == "Zs" else char for char in text.strip())
    return unicodedata.normalize("NFC", re.sub(" +", " ", "".join(spaced)))


# What reveals


def _reveals(text: str) -> bool:
    """Tell whether an alias shows too much; stricter than a display name, which nobody is refused for."""
    plain = _plain(text)
    # No phone number has as few digits as an alias may have, so there is none to look for.
    return "@" in plain or _URL.match(plain) is not None or sum(map(str.isdecimal, plain)) > _MOST_DIGITS


def _plain(text: str) -> str:
    """Undo what hides an address: wide or small variants, other digits, marks such as keycaps, what is zero wide."""
    wide = unicodedata.normalize("NFKC", text)
    seen = (char for char in wide if unicodedata.category(char)[0] != "M" and unicodedata.category(char) != "Cf")
    return "".join(char if (digit := unicodedata.digit(char, None)) is None else str(digit) for char in seen)


def _shows_phone(text: str) -> bool:
    if sum(map(str.isdecimal, text)) < _FEWEST_PHONE_DIGITS:
        return False
    apart = _NO_PHONE.sub("\n", text).replace("_", " ")
    return any(any(PhoneNumberMatcher(apart, region, max_tries=_MOST_TRIES)) for region in _REGIONS)


# What is reserved


def _is_reserved(alias: str) -> bool:
    for text in (alias, _plain(alias)):  # an Arabic 7 looks like v and means 7
        found = _reserved().fullmatch(alias_key(text))
        # In a key 0 and 1 are letters: "No. 11" is noll, and so is a Ms Noll.
        if found and not (found["number"] and alias.isalpha()):
            return True
    return False


@cache
def _reserved() -> re.Pattern[str]:
    """Match the keys of titles, also with an article, the service's name, a plural or a number, and of numbers."""
    titles, numbers = ("|".join(map(alias_key, words)) for words in (_TITLES, ("no", "nr", "number")))
    group = alias_key("group")
    number = r"(?P<number>[\dol]+)"
    return re.compile(
        f"(?:the|an?)?(?:{alias_key('coterie')})?(?:(?:{titles})s?|(?:{group}[\\dol]+)?(?:{numbers})(?=.)){number}?"
    )


# What is well formed


def _is_well_formed(alias: str) -> bool:
    return (
        FEWEST_CHARACTERS <= len(alias) <= MOST_CHARACTERS
        and all(map(_is_allowed, alias))
        and sum(_counts(char) and not char.isdecimal() for char in alias) >= _FEWEST_LETTERS
        and not _piles_marks(alias)
        and not any(map(_is_two_faced, alias.split()))
        and alias_key(alias) != ""
    )


def _is_allowed(char: str) -> bool:
    kind = unicodedata.category(char)
    is_shown = (kind[0] == "L" or kind in ("Nd", "Mn", "Mc")) and char not in _UNSEEN
    return is_shown or char == " " or char in _PUNCTUATION


def _piles_marks(alias: str) -> bool:
    """Tell whether marks pile up on a letter (zalgo) or stand on something else; spacing marks are vowels in a row."""
    letter, marks = "", ""
    for char in unicodedata.normalize("NFD", alias):
        if not unicodedata.category(char).startswith("M"):
            letter, marks = char, ""
        elif unicodedata.category(char) == "Mn":
            marks += char
        accents = sum(unicodedata.combining(mark) > 0 for mark in marks)
        if len(marks) > _MOST_MARKS or accents > _MOST_ACCENTS or (marks and not letter.isalpha()):
            return True
    return False


def _is_two_faced(word: str) -> bool:
    """Tell whether a Latin word holds what a key takes for the look of its capital, and a reader for another's."""
    bare = _bare(word)
    return not _TWO_FACED.isdisjoint(bare) and any(char.isascii() and char.isalpha() for char in bare)


# What looks alike


def _bare(text: str) -> str:
    """Give the letters, digits and vowel marks of a text in one case: NFKD, case folded, without accents."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text.translate(_LUNATE)).casefold())
    return unicodedata.normalize("NFKD", "".join(filter(_counts, folded)))


def _counts(char: str) -> bool:
    kind = unicodedata.category(char)[0]
    return char not in _UNSEEN and (kind in "LN" or (kind == "M" and not _is_accent(char)))


def _is_accent(char: str) -> bool:
    """Tell accents, points and nuktas from marks that are letters of their own, by combining class."""
    order = unicodedata.combining(char)
    return order in (1, 7) or 10 <= order <= 36 or order >= 200 or unicodedata.category(char) == "Me"


@cache
def _look_alikes() -> Mapping[str, str]:
    """Map each letter or digit, as `_bare` leaves it, to what stands for all that look like it.

    confusables.txt knows I = l = 1, O = 0, m = rn, and which letter of another script looks like which of ours.
    Those are followed one way only: were everything joined that touches, then case and look together would make one
    letter of h, n, u, v and y (small nu is v, capital Nu is N …). What looks like nothing in ASCII is joined.
    """
    table = {"w": "vv", "\ua78c": ""}  # and the saltillo, an apostrophe with capitals

    def follow(pairs: Iterable[tuple[str, str]]) -> None:
        for bare, alike in pairs:
            table.setdefault(bare, "".join(table.get(part, part) for part in alike))

    ours, foreign = _confusables()
    follow(ours)
    follow(pair for pair in foreign if pair[1].isascii())
    others = [pair for pair in foreign if pair[0] not in table and pair[0] not in pair[1]]
    table |= _joined(pair for pair in others if len(pair[1]) == 1 and pair[1] not in table)
    follow(sorted(others, key=lambda pair: len(pair[1])))
    # Once more, for what looks like several letters of which one came later.
    return {bare: "".join(table.get(part, part) for part in alike) for bare, alike in table.items()}


def _confusables() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Give each letter or digit with what it looks like, both bare: those of ASCII, then the others.

    The library lists every pair both ways; what looks like one thing only is no prototype, as UTS 39 calls that.
    Looks of a capital come first, and letters before digits; a modifier letter may look like nothing: an apostrophe.
    """
    from confusable_homoglyphs.confusables import confusables_data  # type: ignore[import-untyped]  # takes 70 ms

    found = []
    for marked, (other, *more) in confusables_data.items():
        char, prototype = marked.strip("\u200e"), other["c"].strip("\u200e")
        bare, alike = _bare(char), _bare(prototype)
        is_one = len(char) == len(bare) == 1 and not more and bare.isascii() == char.isascii()
        is_plain = alike.isascii() or not any(map(_is_accent, unicodedata.normalize("NFKD", prototype)))
        if is_one and is_plain and alike != bare and (alike or unicodedata.category(bare) == "Lm"):
            found.append((not alike.isalpha(), not char.isupper(), bare, alike))
    pairs = [(bare, alike) for *_, bare, alike in sorted(found)]
    ours = [pair for pair in pairs if "".join(pair).isascii()]
    return ours, [pair for pair in pairs if not pair[0].isascii()]


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Map each character to the least of its class: the classes that the pairs make (union-find)."""
    parent: dict[str, str] = {}

    def root(char: str) -> str:
        while parent.setdefault(char, char) != char:
            char = parent[char]
        return char

    for one, other in pairs:
        least, most = sorted((root(one), root(other)))
        parent[most] = least
    return {char: root(char) for char in list(parent)}
