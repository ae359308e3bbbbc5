"""A sentence cut into parts that a model's window holds, so that nothing is silently left out."""

from collections.abc import Callable, Sequence


def windows(sentence: str, count: Callable[[Sequence[str]], Sequence[int]], most: int) -> list[str]:
    """The sentence in parts of at most `most` tokens, cut between words, or within one that is longer than that.

    `count` says of each text how many tokens it has. Words are counted one by one, which gives no fewer than together.
    """
    if count([sentence])[0] <= most:
        return [sentence]
    words = _short_enough(sentence.split(), count, most)
    parts: list[list[str]] = [[]]
    filled = 0
    for word, tokens in zip(words, count(words), strict=True):
        if parts[-1] and filled + tokens > most:
            parts.append([])
            filled = 0
        parts[-1].append(word)
        filled += tokens
    return [" ".join(part) for part in parts]


def _short_enough(words: Sequence[str], count: Callable[[Sequence[str]], Sequence[int]], most: int) -> list[str]:
    found: list[str] = []
    for word, tokens in zip(words, count(words), strict=True):
        if tokens <= most or len(word) == 1:
            found.append(word)
        else:
            middle = len(word) // 2
            found += _short_enough([word[:middle], word[middle:]], count, most)
    return found
