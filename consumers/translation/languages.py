"""What a many-language model calls the languages: NLLB's FLORES-200 codes, M2M100's and Marian's own tokens.

The FLORES-200 codes are those of the list that NLLB was published with (arXiv 2207.04672, appendix): the languages of
East and Southern Africa and of their helplines. Another is one entry.
"""

from collections.abc import Container, Mapping

FLORES: Mapping[str, str] = {
    "af": "afr_Latn",
    "am": "amh_Ethi",
    "ar": "arb_Arab",
    "bem": "bem_Latn",
    "en": "eng_Latn",
    "es": "spa_Latn",
    "fr": "fra_Latn",
    "ha": "hau_Latn",
    "ig": "ibo_Latn",
    "ki": "kik_Latn",
    "kam": "kam_Latn",
    "lg": "lug_Latn",
    "ln": "lin_Latn",
    "luo": "luo_Latn",
    "mg": "plt_Latn",
    "ny": "nya_Latn",
    "om": "gaz_Latn",
    "pt": "por_Latn",
    "rn": "run_Latn",
    "rw": "kin_Latn",
    "sn": "sna_Latn",
    "so": "som_Latn",
    "ss": "ssw_Latn",
    "st": "sot_Latn",
    "sw": "swh_Latn",
    "ti": "tir_Ethi",
    "tn": "tsn_Latn",
    "ts": "tso_Latn",
    "tum": "tum_Latn",
    "umb": "umb_Latn",
    "xh": "xho_Latn",
    "yo": "yor_Latn",
    "zu": "zul_Latn",
}
"""ISO 639-1 (or, where there is none, 639-3) to FLORES-200."""


def token_of(language: str, vocabulary: Container[str]) -> str | None:
    """The token by which a model of this vocabulary knows a language; None if it has none (a model of one pair)."""
    flores = FLORES.get(language, "")
    iso3 = flores.partition("_")[0]
    known = (flores, f"__{language}__", f">>{language}<<", f">>{iso3}<<")
    return next((token for token in known if token and token in vocabulary), None)
