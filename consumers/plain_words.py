"""Words that tell nobody apart: a name or a place that holds one of them makes it no secret. Closed, in English."""

import re
from collections.abc import Sequence

from callbus.english_numbers import ONES, REPEATS, TEENS, TENS, ZEROS

WORD = re.compile(r"[^\W_]+")

_FUNCTION = """
a an the this that these those here there some any no not none each every all both such other another same
i me my mine we us our you your he him his she her hers it its they them their who whom whose which what
and or but nor so if then than because as while when where why how
about above across after against along around at before behind below beside between by down during for from in inside
into near next of off on onto out outside over past since through till to toward under until up upon via with without
am is are was were be been being do does did have has had can could may might must shall should will would
again always ever first just last never now often once only still too twice very yes
day days week month year years night morning evening today monday tuesday wednesday thursday friday saturday sunday
hundred thousand number phone
"""
_KIN_AND_TITLES = """
mama mum mom mother mommy baba dad daddy papa father aunt auntie aunty uncle brother sister son daughter child children
baby boy girl man woman husband wife grandmother grandfather grandma grandpa cousin nephew niece friend neighbour
neighbor stepfather stepmother mr mrs ms miss madam sir dr doctor pastor father imam reverend teacher chief officer
headmaster headteacher principal
"""
_PLACES = """
new old big small great little upper lower north south east west northern southern eastern western central town city
village river hill hills lake mount mountain road street avenue lane estate market school primary secondary church
mosque hospital clinic station stage shop house home area district county province region ward zone bridge junction
centre center place farm plot saint st
"""

_NAMES_TOO = """
angel april august beauty bill blessing charity comfort dawn faith favour favor fortune gift glory goodness grace grant
happy honest hope innocent joy june justice lily lovely lucky mark memory mercy patience peace pleasure praise precious
pretty prince princess queen rose sugar sunny sweet talent trust victory wisdom
"""

NUMBERS = frozenset({*ZEROS, *ONES, *TEENS, *TENS, *REPEATS, "nil", "niner"})
NAMES_TOO = frozenset(_NAMES_TOO.split())  # where a text has capitals, only these tell the name from the word
PLAIN = NUMBERS.union(_FUNCTION.split(), _KIN_AND_TITLES.split(), _PLACES.split())


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text, casefolded."""
    return tuple(WORD.findall(text.casefold()))


def telling(name: str) -> Sequence[str]:
    """The words of a name or place that tell anybody apart, casefolded: those with a capital, if it has any.

    A name that was heard as English words holds those too, with a small letter.
    """
    words = [word for word in WORD.findall(name) if len(word) > 1 and word.casefold() not in PLAIN]
    return [word.casefold() for word in words if word[0].isupper()] or [word.casefold() for word in words]
