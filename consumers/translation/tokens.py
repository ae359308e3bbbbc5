"""A translation model's tokenizer, with its two languages set: text to tokens and back."""

from collections.abc import Sequence
from typing import Any

from callbus.consumer import Model
from callbus.errors import ModelError
from consumers.checkpoints.loading import source_of
from consumers.translation.languages import token_of

_MOST_TOKENS = 512  # of a window, where a model says nothing
_ENDS = 4  # tokens that a window leaves to language and end marks


class Tokens:
    """Loaded from the model's directory, or from the hub's cache. Raises `ModelError`."""

    def __init__(self, model: Model) -> None:
        from transformers import AutoTokenizer

        source_language, target_language = model.languages
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(model.location, **source_of(model))
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
            raise ModelError(
                f"model {model.name}: no tokenizer can be loaded from {model.location} ({error}); it needs "
                "tokenizer_config.json and the tokenizer's own files: copy them beside the weights"
            ) from error
        vocabulary = self.tokenizer.get_vocab()
        own, self.target = token_of(source_language, vocabulary), token_of(target_language, vocabulary)
        self.prefix = ""  # of every text: Marian's way to say the target
        if self.target and self.target.startswith(">>"):
            self.prefix, self.target = f"{self.target} ", None
        elif self.target and own:
            self.tokenizer.src_lang = own if "_" in own.strip("_") else source_language
        elif self.target:
            raise ModelError(
                f"model {model.name}: it knows no language {source_language}; mend `languages`, or add its code to "
                "consumers/translation/languages.py"
            )
        self.target_id: int | None = vocabulary[self.target] if self.target else None
        stated = int(self.tokenizer.model_max_length)
        self.most = (stated if stated < 100_000 else _MOST_TOKENS) - _ENDS

    def count(self, texts: Sequence[str]) -> list[int]:
        """How many tokens each text has, without its marks."""
        if not texts:
            return []
        return [len(ids) for ids in self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]]

    def plain(self, ids: Sequence[int]) -> str:
        """The text of a translation."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text.strip()
