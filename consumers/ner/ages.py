"""Ages as they are spoken: "he turned nine in May", "a girl of eleven", "fourteen, fifteen next month", "seven months".

A number alone is no age: somebody must be it, turn it, look it, have been asked for it, or be named right before it.
Pure functions over the text as read (see reading.py: longer spoken numbers are digits there).
"""

import re
from collections.abc import Iterator, Sequence

from callbus.english_numbers import DICTATED, between
from consumers.ner.words import COUNT, Span

SURE, LIKELY = 0.9, 0.85

_PERSON = (
    r"(?:girl|boy|child|kid|baby|infant|newborn|toddler|son|daughter|man|woman|lady|teenager|teen|minor|pupil|student"
    r"|learner|niece|nephew|cousin|brother|sister|grand(?:son|daughter|child)|twin|orphan|youth|somebody|someone)s?"
)
_PERIOD = r"(?:years?|yrs?|months?|weeks?|days?)"
_NEARLY = (
    r"(?:(?:only|just|about|now|almost|nearly|around|barely|still|already|maybe|roughly|exactly|under|over|probably|like"
    r"|turning|hardly|not yet|not even|not|going on|close to|aged|er|um|uh|i think|at most|at least),? ){0,2}"
)
_COUNT = rf"{COUNT}(?: and (?:a )?half)?"
_DIGIT = rf"(?:{DICTATED}|\d+)"
# After these words a number is an amount, a time or a part of a longer number.
_NO_AMOUNT = (
    r"(?!['\u2019-]?\w)(?![.:/,]\d)(?!,? " + _DIGIT + r"\b(?!,? (?:i|he|she)\b))"
    r"(?![ -](?:of|hundred|thousand|million|years?|yrs?|months?|weeks?|days?|nights?|hours?|minutes?|seconds?|times?"
    r"|people|persons?|children|kids|boys|girls|men|women|sons|daughters|brothers|sisters|siblings|wives|friends|others"
    r"|goats|cows|shillings?|bob|kwacha|rand|birr|meticais|francs|dollars|pounds|pula|maluti|percent|per|kilo\w*|km|kg"
    r"|met(?:re|er)s?|miles?|steps|houses?|rooms?|bedrooms?|class(?:es)?|o'?clock|am|pm|more|left|point|meals?|plates?|buckets?|bags?"
    r"|pieces?|phones?|numbers?|books?|teachers?|pupils?|students?|learners?|famil(?:y|ies)|cars?|teeth|words|ways|things"
    r"|ago|later|earlier|pregnant|along|since|together|back|away|without|before|gone|straight|behind|late|long|to go"
    r"|trucks?|lorr(?:y|ies)|vehicles|taxis|buses|boxes|cartons|eggs|chickens|hens|cattle|sheep|camels|donkeys|pigs|trees"
    r"|acres|pages|questions|marks|points|kilos?|tons?|litres|sacks|coins|notes|messages|calls|votes|goals|players|members"
    r"|now since|in (?:that|this|one) (?:room|house|bed)"
    r"|in (?:the (?:morning|evening|afternoon|night|family|house|room)|our|a row|total|all|prison|jail)"
    r"|at home|altogether|that|who|which)\b)"
)
# "She was one, with the drip" is an age, "one Mr Chisale" is not.
_NOT_ONE = rf"(?!one\b(?!(?: and (?:a )?half)?(?:[ -]{_PERIOD}|[.,;?!]|$| (?:and|when|but|now|so)\b)))"
_AGE = rf"{_NOT_ONE}(?P<age>\b{_COUNT}(?:[ -]{_PERIOD})?(?:[ -](?:old|of age))?){_NO_AMOUNT}"
# What can be a number of years but says nothing of somebody: "the time is seven".
_NOBODY = (
    r"(?:it|that|this|name|names|there|here|which|what|where|when|how|let|number|numbers|code|time|total|digit|last|first|second"
    r"|end|answer|score|price|cost|fee|fare|page|line|gate|door|house|amount|bill|today|date|percent|size|marks?|points?|weight|height|temperature|sugar"
    r"|pressure|salary|pay|wage|rent|percentage|balance|goats|cows|cattle|sheep|camels|hens|chickens|eggs|trucks|cars|houses"
    r"|rooms|trees|bags|sacks|books|seats|beds|plates|desks)"
)
_YOUNG = rf"(?:{between(2, 19)}|1?\d)"
# After "until" or "only" these are rather years than a time of day, where nothing is counted by them.
_OF_AGE = (
    rf"(?:{between(14, 19)}|1[4-9]|twenty[ -]one|21)\b(?![.:/,]\d)(?=[.,;?!]|$| (?:and|or|so|to|is|for|but|because|by"
    r"|then|under|you|he|she|they|we|i|with|when|who|not|can|may|must)\b)"
)
_NO_YEARS = r"(?:of|in|at|hundred|thousand|people|children|shillings|met(?:re|er)s|weeks?|days?|months? pregnant|class)"
_RULES: Sequence[tuple[float, str]] = (
    (SURE, rf"(?P<age>\b{_COUNT}[ -](?:years?|yrs?|months?|weeks?|days?)[ -](?:olds?|of age))\b"),
    (SURE, rf"(?P<age>\b{COUNT})(?=,? (?:and|or|to) {COUNT}[ -]{_PERIOD}[ -](?:olds?|of age)\b)"),
    (SURE, rf"\b(?:ages?|aged|age (?:is|was|of)|turn(?:ed|ing|s)?|becom(?:e|es|ing)) {_NEARLY}{_AGE}"),
    (
        LIKELY,
        rf"\b(?!{_NOBODY}\b)\w+(?: (?:is|was|am|will be|would be|shall be)|['\u2019]s|['\u2019]ll be) {_NEARLY}{_AGE}",
    ),
    (LIKELY, rf"\b(?:i['\u2019]?m|s?hes|whos|to be) {_NEARLY}{_AGE}"),
    # Of several people small numbers say how many they are.
    (
        LIKELY,
        rf"\b(?!there|these|those|here|numbers|{_NOBODY}\b)\w+(?: (?:are|were)|['\u2019]re) {_NEARLY}"
        rf"(?!(?:one|two|three|four|five|[1-5])\b(?!(?: and (?:a )?half)?[ -]{_PERIOD})){_AGE}",
    ),
    (LIKELY, rf"\b(?:he|she|who|child|girl|boy) (?:must|may|might|could|can) be {_NEARLY}{_AGE}"),
    (
        LIKELY,
        rf"\b(?:children|kids|boys|girls|ones|others|siblings|they|we) (?:are|were) {_NEARLY}(?P<age>\b{COUNT})"
        rf"(?=,? (?:and )?{COUNT}\b(?! (?:of|boys|girls|times)\b))",
    ),
    (LIKELY, rf"\b(?:theyre|twins are|both) {_NEARLY}(?!(?:one|two|three|four|five)\b){_AGE}"),
    (LIKELY, rf"\btwins are {_NEARLY}{_AGE}"),
    (LIKELY, rf"\b{_PERSON} (?:child )?(?:of|aged) {_NEARLY}{_AGE}(?! (?:parents|mothers)\b)"),
    (LIKELY, rf"\b{_PERSON}, {_NEARLY}{_AGE}(?=[,.;?!]|$| (?:and|or|to)\b)"),
    (LIKELY, r"\b(?:i['\u2019]?m|i am|s?he is|s?he['\u2019]?s|aged?) (?P<age>[1-9]?\d)(?= ?[mf]\b)"),
    (LIKELY, rf"\b(?:another|the other)(?: one)? of {_NEARLY}(?P<age>{_COUNT} {_PERIOD}){_NO_AMOUNT}"),
    (LIKELY, rf"\b(?:is|was|about|around|maybe|like) (?P<age>{COUNT} {COUNT} {_PERIOD})\b"),
    (
        LIKELY,
        rf"^(?:yes|no|yeah|just|only|about|maybe|she is|he is)?,? ?(?P<age>{_COUNT} {_PERIOD})[.!?]?$",
    ),
    (LIKELY, rf"\blooks?(?: to be| like| as if)? {_NEARLY}{_AGE}"),
    (
        LIKELY,
        rf"\b(?:eldest|oldest|youngest|first ?born|last ?born)(?: (?:one|child|boy|girl|son|daughter|brother|sister))?"
        rf",? (?:is |was )?{_NEARLY}{_AGE}",
    ),
    (LIKELY, rf"(?:^|[.?!] ){_NEARLY}{_AGE}(?=, (?:i|s?he|they)\b)"),
    # A baby's months and a child's years stand beside it without a verb; with "for", "since" or "in" they are a time.
    (
        LIKELY,
        rf"\b{_PERSON}\b(?:,? (?!for|since|after|in the|last|past|every|these|within|took|been|was|than|then|over|few)"
        rf"(?!\w+(?:ed|ing)\b)\w+){{0,5}},? {_NEARLY}(?P<age>\b{_COUNT} {_PERIOD}){_NO_AMOUNT}(?! now\b)",
    ),
    (
        LIKELY,
        r"\b(?:from|at|before|until|till|under|below|(?:older|younger) than|by) (?:the age of )?"
        rf"(?P<age>\b{COUNT} (?:years?|months?)){_NO_AMOUNT}",
    ),
    (LIKELY, r"\b(?:under|below|above|over|at|from|by) the age of " + _AGE),
    # When somebody is of age: "she waits until eighteen", "a person of sixteen", "the law says twenty one for both".
    (LIKELY, rf"\b(?:until|till|reach(?:es|ed)?|only|already|not yet|at least) (?P<age>{_OF_AGE})"),
    (LIKELY, rf"\b(?:it (?:is|was)|(?:law|paper|book|rule) says|limit is) (?P<age>{_OF_AGE})"),
    (LIKELY, rf"\b(?:persons?|people|anybody|anyone|nobody|kids|pupils) of {_NEARLY}{_AGE}"),
    (
        LIKELY,
        rf"\b(?:{_PERSON}|born) (?:has|have|had) {_NEARLY}(?P<age>\b{COUNT} years){_NO_AMOUNT}(?! (?:in|with|to)\b)",
    ),
    # What the law says of those who are younger or older.
    (
        LIKELY,
        r"\b(?:nobody|no ?one|(?:any|some|every)(?:body|one)|child(?:ren)?|girls?|boys?|kids|those|persons?|people"
        r"|minors|learners|pupils|students|all|for|who (?:is|are)) (?:under|below|above|over|(?:young|old)er than) "
        + _AGE,
    ),
    (
        LIKELY,
        rf"\b(?:under|above|below) {_AGE}(?=[.,;?!]|$| (?:and|or|is|are|must|can(?:not)?|may|only|they|should)\b)",
    ),
    (
        LIKELY,
        r"\bwhen (?:i|s?he|they|my \w+) (?:was|were|am|is|are|turn(?:s|ed)?)"
        rf" {_NEARLY}(?P<age>{_YOUNG})\b(?! {_NO_YEARS}\b)",
    ),
    (
        LIKELY,
        rf"\b(?:form|class|grade|standard|std|senior|primary|year|jss|jhs|shs|level) (?:{COUNT}|[a-z]), {_NEARLY}"
        rf"{_AGE}(?=[.,;?!]|$| (?:and|or)\b)",
    ),
    (LIKELY, rf"(?:^|[.?!,] ){_AGE}(?=,? (?:next|this) (?:month|week|year|term)\b)"),
    (
        LIKELY,
        rf"\b(?:{_PERSON}|children|they|she|he|aged|ages|old|looks?)\b[^.?!]{{0,25}}\bbetween (?P<age>{COUNT})"
        rf"(?= and {COUNT}\b{_NO_AMOUNT})",
    ),
    (LIKELY, rf"\b(?:i am|i['\u2019]m|this is) [^.?!]{{3,60}}, (?P<age>{COUNT})(?=[,.])"),
    (
        LIKELY,
        rf"\b(?:i|s?he|who|they) (?:have|has|had) {_NEARLY}(?P<age>{COUNT} years?){_NO_AMOUNT}(?! (?:in|with|to)\b)",
    ),
)
_FINDS = tuple((score, re.compile(pattern, re.IGNORECASE)) for score, pattern in _RULES)

_ENDS = (
    r"(?=[.,;?!]|$| (?:and|or|to|he|she|they|i|my|her|his|from|who|but|so|the|next|this|soon|now|please|in|going|is|has"
    r"|we|years?|months?|old|with|\w+ing)\b)"
)
# "nine, or ten", "from ten to fourteen", "fourteen, fifteen next month"
_GOES_ON = re.compile(
    rf"(?:,? (?:or|and|to|going to|soon|then|almost|nearly|turning)|,) {_NEARLY}(?!one\b)(?P<age>{_COUNT}"
    rf"(?: {_PERIOD})?(?: old)?){_NO_AMOUNT}{_ENDS}",
    re.IGNORECASE,
)
# "Tariro, thirteen, from …", "Sipho. Eleven.", "zuhura she is five"
_BESIDE_NAME = re.compile(
    rf"(?:[.,;]? (?:s?he(?: i|')s |is |was |who(?: i|')s )?{_NEARLY}|[.,;] )(?!one\b)"
    rf"(?P<age>\b{_COUNT}(?: {_PERIOD})?(?: old)?){_NO_AMOUNT}{_ENDS}",
    re.IGNORECASE,
)
_GRADE = re.compile(
    r"\b(?:p|s|class|grade|form|standard|std|primary|secondary|year|level|page|number) $", re.IGNORECASE
)
_ANSWER = re.compile(_AGE, re.IGNORECASE)
_ABOUT_AGE = re.compile(
    r"\b(?:the|legal|right|good|minimum|which|what|whose|his|her|my|your) age\b|\bunder ?age\b", re.IGNORECASE
)
_AGE_OF_YOUTH = re.compile(rf"(?P<age>\b(?:{between(12, 19)}|1[2-9])\b)(?! {_NO_YEARS}\b)(?![.:/,]\d)", re.IGNORECASE)
_ANSWER_WORDS = 12  # beyond them the talk has moved on
_ALONE_WORDS = 3  # "one" is an age only in an answer as short as this


def find(text: str, names: Sequence[Span]) -> list[Span]:
    """The ages of `text`; `names` are the people found in it, beside whom a bare number is an age."""
    found = [
        Span(*match.span("age"), "AGE", score)
        for score, pattern in _FINDS
        for match in pattern.finditer(text)
    ]  # fmt: skip
    beside = (_BESIDE_NAME.match(text, name.end) for name in names)
    found.extend(Span(*match.span("age"), "AGE", LIKELY) for match in beside if match)
    if _ABOUT_AGE.search(text):  # "what is the age, because one says sixteen, another eighteen"
        found += (
            Span(*match.span("age"), "AGE", LIKELY)
            for match in _AGE_OF_YOUTH.finditer(text)
            if not _GRADE.search(text, 0, match.start("age"))
        )
    return [*found, *_continued(text, found)]


def answered(text: str) -> list[Span]:
    """The ages of an utterance before which an age was asked for."""
    words = list(re.finditer(r"\S+", text))
    limit = words[min(len(words), _ANSWER_WORDS) - 1].end() if words else 0
    found = [
        Span(*match.span("age"), "AGE", LIKELY)
        for match in _ANSWER.finditer(text, 0, limit)
        if not _GRADE.search(text, 0, match.start("age"))
        and (match.group("age").lower() not in ("one", "1") or len(words) <= _ALONE_WORDS)
    ]
    return [*found, *_continued(text, found)]


def _continued(text: str, ages: Sequence[Span]) -> Iterator[Span]:
    """More ages that follow the last one of each stretch."""
    for age in ages:
        at = age.end
        while match := _GOES_ON.match(text, at):
            yield Span(*match.span("age"), "AGE", LIKELY)
            at = match.end("age")
