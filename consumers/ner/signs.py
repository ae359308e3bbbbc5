"""What one thing of a kind is told from others by: "with the Omo sign", "with the green light", "with two chimneys".

It belongs to the landmark before it, for it is what a stranger looks for.
"""

import re

_PART = (
    r"(?:sign|signboard|signpost|gate|roof|door|wall|mast|poster|flag|light|lamp|chimney|window|tower|fence|minaret|cross"
    r"|clock|bell|dome|arch|step|verandah?|pillar|tree|tank|picture|painting|mural|letter|tile|shutter|brick|statue|floor"
    r"|wing|umbrella)(?:e?s)?|paint"
)
_LOOK = (
    r"(?:red|green|blue|yellow|white|black|brown|orange|pink|purple|gr[ea]y|golden|big|tall|high|broken|round|iron|tin)"
)
SIGN = re.compile(
    rf" with (?!sign language\b)(?:(?:the|a|an|its|that) (?:[\w'-]+ ){{0,2}}(?:{_PART})"
    rf"|(?:the|a|an) {_LOOK} (?!and\b|or\b)[\w'-]+"
    rf"|(?:(?:two|three|four|five|six|many) )?(?:{_LOOK} )?(?:{_PART}))\b",
    re.IGNORECASE,
)
