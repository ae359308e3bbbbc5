"""Dates as they are spoken: days, months, years, feasts, and words such as "tomorrow"; no hours, no lengths of time.

Pure functions over the text as read.
"""

import re
from collections.abc import Iterator

from callbus.english_numbers import FROM_TWENTY, between
from consumers.ner.words import Span

CALLED, SURE, LIKELY = 0.92, 0.9, 0.85

_CLEAR_MONTH = "january|february|april|june|july|august|september|october|november|december"
_MONTH = rf"(?:{_CLEAR_MONTH}|march|may)"
_SHORT_MONTH = r"(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?"
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?"
_SMALL = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
_LARGE = (
    "tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|nineteenth|twentieth|thirtieth"
    rf"|(?:twenty|thirty)[ -](?:{_SMALL})"
)
_ORDINAL = rf"(?:{_LARGE}|{_SMALL}|\d{{1,2}}(?:st|nd|rd|th))"
_DAY = rf"(?:{_ORDINAL}|[0-3]?\d)"
_ONES = between(1, 9)
_BELOW_100 = rf"(?:{between(10, 19)}|{FROM_TWENTY})"
_YEAR = (
    rf"(?:(?:19|20)\d\d|twenty (?:oh (?:{_ONES})|{_BELOW_100})|nineteen (?:oh (?:{_ONES})|{_BELOW_100})"
    rf"|two thousand(?: and)? (?:{_BELOW_100}|{_ONES}))"
)
_NEARBY = r"(?:last|next|this|coming|previous|following)"
_FEAST = (
    r"(?:christmas|easter|ramad?[dh]h?an|shaaban|eid(?: (?:el|al|ul)[ -]\w+)?|idd|sallah|tabaski|maulid|mawlid|ashura"
    r"|diwali|pentecost|palm sunday|ash wednesday|saba saba|nane nane|good friday|boxing day|new year'?s? (?:day|eve)"
    r"|(?:madaraka|mashujaa|jamhuri|heroes'?|independence|women'?s|labour) day|timkat|meskel|genna|enkutatash|fasika"
    r"|irreechaa?)"
)
_NO_AMOUNT = r"(?! (?:shillings?|bob|kwacha|rand|birr|meticais|francs|people|children|minutes|hours|times|percent)\b)"
# After a bare "the fifteenth" no noun: it would be the fifteenth of something.
_STANDS = (
    r"(?=\s*(?:[.,;?!]|--|$)| (?:of (?:this|next|last|the|every|each) month|i|we|he|she|they|you|and|or|to|at|is|was|in"
    r"|because|so|but|when|then|my|by|if|for|will|it|the|as|with|not|there|that|please)\b)"
)

_RULES: tuple[tuple[float, str], ...] = (
    (SURE, rf"(?P<date>\b(?:the )?{_DAY}(?: day)?(?: of)? {_MONTH}(?:,? {_YEAR})?)\b(?! \w+ have\b)"),
    (SURE, rf"(?P<date>\b{_MONTH} (?:the )?{_DAY}(?:,? {_YEAR})?)\b(?![\d:])"),
    (SURE, rf"(?P<date>\b{_MONTH},? {_YEAR})\b"),
    (SURE, rf"(?P<date>\b(?:{_DAY} {_SHORT_MONTH}|{_SHORT_MONTH} {_DAY})(?: (?:19|20)\d\d)?)(?!\w)"),
    (SURE, r"(?P<date>\b(?:\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d{2}|(?:19|20)\d{2}-\d{1,2}-\d{1,2}))\b"),
    (
        SURE,
        rf"(?P<date>\b{_NEARBY} (?:{_WEEKDAY}|{_MONTH}|{_FEAST}|weeks?|weekend|months?|years?|term|semester|season))\b"
        r"(?! old)",
    ),
    (LIKELY, rf"(?P<date>\b{_WEEKDAY})\b(?! (?:school|class|service|mass)\b)"),
    (LIKELY, r"(?P<date>\b(?:the day (?:before yesterday|after tomorrow)|today|tomorrow|yesterday))\b"),
    (LIKELY, r"\bon (?P<date>mon|tues?|wed|thurs?|fri|sat|sun)\b"),
    (LIKELY, rf"(?P<date>\b(?:{_CLEAR_MONTH}))\b"),
    (
        LIKELY,
        rf"(?P<date>\b(?:{_BELOW_100}|{_ONES}|an?|\d{{1,2}}|some|few|several|many|couple of)"
        r" (?:days?|weeks?|months?|years?) (?:ago|back|before|earlier))\b",
    ),
    (LIKELY, r"\b(?:in|since|until|till|of|early|late|mid|before|during|around) (?P<date>march)\b"),
    (
        LIKELY,
        r"\b(?:in|since|until|till|from|by|of|early|late|mid|before|after|during|around|every|through|to)"
        r" (?P<date>march|may)\b(?! (?:be|i|have|not|god|you|we|he|she|they|the|come|go|also)\b)",
    ),
    (LIKELY, rf"\b(?:in|since|year|from|until|till|of|before|after|by|during|around) (?P<date>{_YEAR})\b{_NO_AMOUNT}"),
    (LIKELY, rf"(?P<date>\b(?:(?:the )?{_ORDINAL} of )?{_FEAST})\b"),
    (CALLED, r"(?P<date>\b(?-i:[A-Z]\w+(?: of)?(?: the)? ){1,3}(?-i:Day))\b(?! [A-Z])"),
    (LIKELY, rf"\b(?:on|by|until|till|before|after|since|from|till) (?P<date>the {_ORDINAL}){_STANDS}"),
    (LIKELY, rf"(?P<date>\bthe (?:{_LARGE}|[12]\dth|3[01](?:st|th)|2[123](?:st|nd|rd))){_STANDS}"),
)  # fmt: skip
_FINDS = tuple((score, re.compile(pattern, re.IGNORECASE)) for score, pattern in _RULES)
_LENGTH = re.compile(r"\b(?:for|in|over|during) (?:the )?$", re.IGNORECASE)
_PERIOD = re.compile(r"(?:last|previous) (?:week|month|year)s?|\w+ (?:weeks|months|years)", re.IGNORECASE)


def find(text: str) -> Iterator[Span]:
    """The dates of `text`; finds may overlap."""
    for score, pattern in _FINDS:
        for match in pattern.finditer(text):
            start, end = match.span("date")
            lasting = _PERIOD.fullmatch(text, start, end) and _LENGTH.search(text, 0, start)
            if not lasting:  # "for the last month" says how long, not when
                yield Span(start, end, "DATE", score)
