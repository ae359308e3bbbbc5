"""The commonest words of some languages, by which a stretch of speech is told to be in one of them. Pure.

Small words, and what children speak of most. Folded (`fold`). A word of several languages stands in each of them and
says nothing between them: "no", "me" and "as" are Portuguese too. Names and greetings that everybody mixes into
English (mama, baba) stand in none. Source: general knowledge of each language.
"""

import re
from collections.abc import Mapping

from consumers.spelling import fold

_EN = """
the of and a an in on at to for from by with without into about after before over under out up down off as is am are was
were be been being have has had do does did will would can could should may might must not no yes i you he she it we
they me him her us them my your his its our their mine this that these those who what when where why how which there
here now then today yesterday tomorrow always never again very much more most some any all every other another if or but
because so than too also just only still even said says say told tell know knows think want wants wanted need go goes
went come comes came get got make take see saw give help please thank thanks hello hi okay sorry good bad afraid scared
school teacher mother father mum mom dad uncle aunt brother sister friend friends boy girl child children home house
night day morning evening week time people man men woman beat beats hit hits touch touched hurt hurts cry crying live
lives years old phone someone something nothing nobody everyone um uh im dont cant didnt isnt
"""
_PT = """
a o as os um uma uns umas de do da dos das em no na nos nas ao aos por pelo pela para pra com sem sobre ate entre e ou
mas porque que se quando onde como quem qual nao sim ja ainda muito muita mais menos bem mal so tambem sempre nunca
depois antes agora hoje ontem amanha aqui ali la eu tu voce voces ele ela eles elas me te lhe meu minha meus minhas teu
tua seu sua dele dela nosso nossa isto isso este esta esse essa aquele aquela sou es somos sao era foi fui estou estas
estamos estao estava ta ser estar ter tenho tens tem temos tinha vou vai vamos ir faz fazer fez disse diz dizer quer
quero posso pode sei sabe vivo vive for come bateu bate batem medo mae pai tio tia irmao irma escola casa amigo amiga
menino menina crianca anos dia dias noite obrigado obrigada ola bom boa ajuda ajudar chamo nome
"""
_SW = """
na ni ya wa kwa la za cha vya pa si kama lakini au bali ili kwamba kuwa sababu pia hata bado tu sana sasa leo jana kesho
juzi usiku mchana asubuhi jioni hapa hapo huko pale kule wapi nani nini gani lini vipi kwanini mimi wewe yeye sisi ninyi
nyinyi wao yangu yako yake yetu yenu yao wangu wako wake wetu wenu langu lako lake letu changu chako chake zangu zake
kwangu kwako kwake huyu yule hawa wale hii hiyo ile hizi hizo zile hiki hicho kile huu huo ule ndiyo ndio hapana sawa
asante tafadhali pole samahani habari karibu mtoto watoto mtu watu ndugu rafiki mwalimu shule shuleni nyumba nyumbani
kazi maji chakula jina naitwa anaitwa nataka naomba naogopa nina ana una wana kuna hakuna sina hana hatuna wote yote
zote kila mmoja baada kabla mpaka hadi katika ndani nje juu chini siku wiki mwezi mwaka miaka halafu kisha tena
"""
_FR = """
le la les un une des du de et ou mais donc parce que qui quoi quand comment pourquoi ne pas plus moins tres bien mal je
tu il elle on nous vous ils elles me te se mon ma mes ta tes sa ses notre votre leur leurs ce cet cette ces ca est suis
es sont etait ai as a avons avez ont avait etre avoir faire va vais vont dit dire veux veut peux peut sais sait dans sur
sous avec sans pour par chez entre apres avant hier demain ici maintenant toujours jamais encore aussi oui non merci
bonjour bonsoir ecole maison pere mere frere soeur oncle tante enfant enfants peur nuit jour ans
"""
WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split()) for language, words in (("en", _EN), ("pt", _PT), ("sw", _SW), ("fr", _FR))
}

_SHAPES: Mapping[str, re.Pattern[str]] = {  # of words that are in no list
    "en": re.compile(r"\w{2,}ing|\w+(?:n't|'(?:m|re|ve|ll|s|d))"),
    "pt": re.compile(r"\w*[ãõ]\w*"),
    "fr": re.compile(r"(?:j|l|d|qu|c|n)'\w+"),
    # A verb: who, when, whom, and a stem of open syllables ("alinipiga", "nimeogopa").
    "sw": re.compile(
        r"(?:ni|u|a|tu|m|wa|i|zi|ki|li|ha|si)(?:na|li|ta|me|ki|nge|ja)"
        r"(?:(?:ng'|n[gdyjz]|mb|sh|ch|th|dh|gh|[bdfghjklmnprstvyz]w?|w)?[aeiou]){2,}"
    ),
}
_JOINING = """
and but because so then when if who that na lakini kwa kwamba kama halafu kisha e mas porque que quando et mais parce
"""
JOINING = frozenset(_JOINING.split())
"""What a clause begins with."""


def speaks_for(word: str, language: str) -> bool:
    """Whether a word, as it was written, is one of the language's commonest, or has the shape of its words."""
    if fold(word) in WORDS.get(language, ()):
        return True
    shape = _SHAPES.get(language)
    return bool(shape and shape.fullmatch(word.casefold().replace("’", "'")))  # noqa: RUF001
