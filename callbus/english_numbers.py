"""Numbers as English words, in their order: for whoever reads them, and for the patterns that look for them. Pure."""

from collections.abc import Mapping

ZEROS = ("zero", "oh", "o", "nought", "naught")
ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
TO_TWENTY = ("zero", *ONES, *TEENS, "twenty")  # each at the place that it counts
REPEATS: Mapping[str, int] = {"double": 2, "triple": 3, "treble": 3}  # how often the next digit is meant


def between(first: int, last: int) -> str:
    """A pattern, without brackets, of the numbers from `first` to `last` (20 at most), both included: "five|six"."""
    return "|".join(TO_TWENTY[first : last + 1])


DICTATED = rf"zero|oh|{between(1, 9)}|double|triple"
"""A pattern, without brackets, of the words by which a number is mostly dictated."""
FROM_TWENTY = rf"(?:{'|'.join(TENS)})(?:[ -](?:{between(1, 9)}))?"
"""A pattern of the numbers from 20 to 99: "forty", "forty two", "forty-two"."""
