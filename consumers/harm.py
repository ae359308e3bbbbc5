"""Who does harm to whom, by the grammar of English sentences: one reading of active and passive alike. Pure.

"My uncle beats me", "he comes home and beats my sister", "[NAME_1] was locked in by the boys who bully him": each deed
has a doer and a sufferer, as far as the sentence names them. A deed counts only between people: "beat the drum", "cut
her hair" and "touched by her story" harm nobody.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

CALLER = "caller"

PLACEHOLDER = r"\[NAME_\d+\]"
_OWN = rf"(?:my|his|her|our|their|your|the|a|an|this|that|own|old|elder|older|big|new|{PLACEHOLDER}['\u2019]s)"
_COUNTED = r"(?:one|two|three|four|five|some|several|many|of|other|another|same|certain)"
_NO_MORE = r"(?![-'\u2019]\w)"  # not "uncle's friend", not "mother-in-law"
_NOT_THEIRS = r"(?!(?:['\u2019]s)? (?:hair|phone|clothes|books?|bag|money|food|things|dress|uniform|house)\b)"
_STRANGERS = r"(?:someone|somebody|people|m[ae]n|wom[ae]n|guys?|gang|thugs?|robbers?|thieves|soldiers|strangers?)"
_AFTER_HER = (  # "cut her hair" harms nobody
    r"(?:$|[.,;:!)]| (?:with|until|till|and|but|every|each|when|while|at|on|in|for|by|because|again|so|to|last|badly"
    r"|hard|very|from|all|up|down|like|as|yesterday|today|now|there|here|inside|sexually|almost|since|daily)\b)"
)
_AUXILIARY = r"(?:,? (?:also|always|often|just|then|again|sometimes|even|already|who|that|has|had|have|used to))"
_SHORT_FORM = r"(?:['\u2019](?:s|re|ve|d|m)(?: been)?)"  # "he's beating", "they've been beating"
_GOING_ON = r"(?: (?:is|are|was|were|keeps on|keeps|kept on|kept|started|has been|have been|had been))"
_IS = (
    r"(?: (?:was|were|is|are|am|got|gets|get|getting|been|being)|['\u2019](?:m|re)|['\u2019](?:s|ve|d) (?:been|being))"
)
_HOW = r"(?: (?:(?!near|hard|bare|possib|probab)\w+ly|also|always|again|once|even|then|just))"
_CLAUSE = r"(?:^|[.,;:!] ?|\b(?:and|but|because|when|so|then|now|that|says|said) )"
_STOPS = r"(?:he|she|they|i|we|you|it|who|that|and|or|but|when|while|because|as|then|so|me|us|him|her|them)"

_NO_CLAUSE = (
    r"(?=$|[.,;:!]| (?:with|until|till|every|each|when|daily|badly|too|on|for|because)\b)"  # "me and my mother left"
)
_MEANT_WELL = re.compile(  # "beat me at chess", "cut me off", "chased us from school" for its fees
    r" (?:off|short|some|slack|deeply|to it|from (?:class|school)|an?(?! (?:lot|hundred|thousand|second|third|few)\b)"
    r"|with (?:\w+ ){0,2}(?:words?|story|stories|kindness|songs?)"
    r"|(?:at|in) (?:\w+ )?(?:chess|cards|draughts|football|games?|races?|running|maths|exams?|tests?|finals?|match))\b",
    re.IGNORECASE,
)
_SALE = re.compile(r"(?:sell|sold)", re.IGNORECASE)
_AWAY = re.compile(r" (?:to|off|for|into|as|away)\b", re.IGNORECASE)  # "sold him those shoes" harms nobody
_BY_NOBODY = re.compile(r" (?:\w+ )?by (?:the |our )?(?:rain|sun|wind|waves|team|system|life|hunger|cold)\b", re.I)
_TELLING = re.compile(  # "I told my mother [NAME_1] beats me" is of [NAME_1]
    rf"\b(?:tell|tells|told|telling|ask|asks|asked|inform|informed|warned)(?: {_OWN})* $", re.IGNORECASE
)
_BESIDE = re.compile(  # "the man with my mother beats me" is not of her
    rf"(?<!\bone )(?<!\btwo )\b(?P<word>of|to|from|with|by|for|near|like|than|after)(?: {_OWN})* $", re.IGNORECASE
)
_RELATIVE = re.compile(r"\b(?:who|that)\b", re.IGNORECASE)
_WORDS_BEFORE = 60  # characters
_HELD = re.compile(PLACEHOLDER)


@dataclass(frozen=True, slots=True)
class Deed:
    """Harm that a text speaks of. Who is a role, `CALLER` or a placeholder; "" where the text names nobody."""

    doer: str
    sufferer: str
    start: int  # where the word for it stands
    end: int


class Grammar:
    """The patterns of a helpline's words. `roles`: the role by each word for it."""

    def __init__(
        self,
        roles: Mapping[str, str],
        does: Collection[str],
        doing: Collection[str],
        done: Collection[str],
        harmless_too: Collection[str],
    ) -> None:
        """`done` may be of several words; one in `harmless_too` needs somebody by whom it was done."""
        self._roles = roles
        self._harmless_too = harmless_too
        role = any_of(roles)
        subject = (
            rf"(?<![\w-])(?P<who>(?P<role>{role})\b(?!-)(?: {PLACEHOLDER}(?!['\u2019]s)| of \w+)?"
            rf"|(?P<name>{PLACEHOLDER})|(?P<self>I|we)\b|(?:he|she|they|who|{_STRANGERS})\b)"
        )
        doing_ = rf"(?:{_AUXILIARY}|{_GOING_ON}){{0,3}}(?: \w+ly)? (?P<doing>{any_of(doing)})"
        does_ = rf"{_AUXILIARY}{{0,3}} (?P<deed>{any_of([*does, *(word for word in done if ' ' not in word)])})"
        between = rf"(?: (?!(?:{_STOPS}|{_STRANGERS}|{role})\b)[\w'\u2019-]+){{1,5}} and"
        others = rf"him\b|them\b|her(?={_AFTER_HER})"
        self._active = _compiled(rf"{subject}{_SHORT_FORM}?(?:{does_}|{doing_})(?= )")
        self._drawn_out = _compiled(rf"{_CLAUSE}(?:{_OWN} ){{0,3}}{subject}{between}{does_}(?= )")
        self._whom = _compiled(
            rf"(?P<too> and)? (?:(?P<self>me|us)\b{_NO_MORE}|myself\b|{others}"
            rf"|(?P<name>{PLACEHOLDER})(?!['\u2019]s| {role}\b)"
            rf"|(?:{_OWN} ){{1,3}}(?:(?!{_OWN}\b)\w+ )?(?P<role>{role})\b{_NO_MORE}){_NOT_THEIRS}"
            rf"(?(too){_NO_CLAUSE})"
        )
        self._passive = _compiled(
            rf"(?:{subject}{_AUXILIARY}{{0,3}}{_IS}(?:{_IS}|{_HOW}){{0,4}} |\b)(?P<deed>{any_of(done)})\b"
        )
        self._by = _compiled(
            rf"(?: (?!{_STOPS}\b)[\w-]+){{0,5}}? by (?:(?:{_OWN}|{_COUNTED}) ){{0,4}}?(?:[\w-]+ )??"
            rf"(?:(?P<role>{role})\b{_NO_MORE}|(?P<name>{PLACEHOLDER})(?!['\u2019]s)|{others}|{_STRANGERS}\b)"
        )
        self._known = _compiled(
            rf"(?<![\w-])(?P<who>(?:{_OWN} ){{1,3}}(?:\w+ )?(?P<role>{role}))\b(?:(?:['\u2019]?s name)? is)?"
            rf"(?: called| named)? (?P<name>{PLACEHOLDER})(?!['\u2019]s)"
            rf"|(?P<its_name>{PLACEHOLDER}) is (?:my|our) (?P<its>{role})\b{_NO_MORE}"
        )

    def deeds(self, text: str) -> Iterator[Deed]:
        """Every deed that the text speaks of, one that it denies or asks for too."""
        for pattern in (self._active, self._drawn_out):
            for said in pattern.finditer(text):
                yield from self._done_by(said, text)
        for said in self._passive.finditer(text):
            by = self._by.match(text, said.end())
            certain = said["who"] or said["deed"].casefold() not in self._harmless_too  # "their plot was sold by …"
            if (by and certain) or (said["who"] and not self._may_be_harmless(said, text)):
                doer = self._person(by) if by else ""
                yield Deed(doer, self._subject(said, text, said.start("deed"), suffers=True), *said.span("deed"))

    def known_as(self, text: str) -> Iterator[tuple[str, str]]:
        """Placeholders with the role that the text says they have: "my uncle [NAME_1]"."""
        for said in self._known.finditer(text):
            if not said["role"] or not _TELLING.search(text, *_before(said, "who")):
                yield said["name"] or said["its_name"], self._roles[(said["role"] or said["its"]).casefold()]

    def _done_by(self, said: re.Match[str], text: str) -> Iterator[Deed]:
        """The deed of the subject for each whom it is done to: "me and my sister"."""
        word = "deed" if said["deed"] else "doing"
        doer = self._subject(said, text, said.start(word), suffers=False)
        at = said.end()
        whom = self._whom.match(text, at)
        found = []
        while whom and (whom["too"] is not None or at == said.end()):
            if not (said["self"] and whom["self"]):  # "I have locked us in"
                found.append(Deed(doer, self._person(whom), *said.span(word)))
            at = whom.end()
            whom = self._whom.match(text, at)
        sale = _SALE.match(said[word]) and not _AWAY.match(text, at)
        if not (sale or _MEANT_WELL.match(text, at)):
            yield from found

    def _subject(self, said: re.Match[str], text: str, deed: int, *, suffers: bool) -> str:
        """Who stands before the deed. Of the caller only what they suffer is told."""
        if said["self"]:
            return CALLER if suffers else ""
        if _TELLING.search(text, *_before(said, "who")):
            held = _HELD.search(said["who"]) if said["role"] else None
            return held[0] if held else ""
        beside = _BESIDE.search(text, *_before(said, "who"))
        if beside and (beside["word"].lower() == "of" or not _RELATIVE.search(text, said.end("who"), deed)):
            return ""
        return self._person(said)

    def _person(self, said: re.Match[str]) -> str:
        if said["role"]:
            return self._roles[said["role"].casefold()]
        own = said.re.groupindex.get("self")
        return CALLER if own and said[own] else said["name"] or ""

    def _may_be_harmless(self, said: re.Match[str], text: str) -> bool:
        """Whether what was done to somebody, by nobody, need be no harm: "she was touched", "beaten by the rain"."""
        at = said.end()
        return (
            said["deed"].casefold() in self._harmless_too
            or _MEANT_WELL.match(text, at) is not None
            or _BY_NOBODY.match(text, at) is not None
        )


def _before(said: re.Match[str], group: str) -> tuple[int, int]:
    """Where the words right before a group of a match stand; so far only, that a long text takes no longer than two."""
    return max(0, said.start(group) - _WORDS_BEFORE), said.start(group)


def any_of(words: Collection[str]) -> str:
    """A pattern of any of the words, the longest first; of nothing where there are none."""
    longest = sorted(words, key=lambda word: (-len(word), word))
    return rf"(?:{'|'.join(re.escape(word) for word in longest)})" if longest else r"(?!)"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
