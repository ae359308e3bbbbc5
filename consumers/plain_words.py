"""Words that tell nobody apart: a name or a place that holds one of them makes it no secret. Closed, in English."""

_NUMBERS = """
zero oh o nought naught nil one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety double triple treble niner
"""
_FUNCTION = """
a an the this that these those here there some any no not none each every all both such other another same
i me my mine we us our you your he him his she her hers it its they them their who whom whose which what
and or but nor so if then than because as while when where why how
about above across after against along around at before behind below beside between by down during for from in inside
into near next of off on onto out outside over past since through till to toward under until up upon via with without
am is are was were be been being do does did have has had can could may might must shall should will would
again always ever first just last never now often once only still too twice very yes
day days week month year years night morning evening today monday tuesday wednesday thursday friday saturday sunday
hundred thousand number phone
"""
_KIN_AND_TITLES = """
mama mum mom mother mommy baba dad daddy papa father aunt auntie aunty uncle brother sister son daughter child children
baby boy girl man woman husband wife grandmother grandfather grandma grandpa cousin nephew niece friend neighbour
neighbor stepfather stepmother mr mrs ms miss madam sir dr doctor pastor father imam reverend teacher chief officer
headmaster headteacher principal
"""
_PLACES = """
new old big small great little upper lower north south east west northern southern eastern western central town city
village river hill hills lake mount mountain road street avenue lane estate market school primary secondary church
mosque hospital clinic station stage shop house home area district county province region ward zone bridge junction
centre center place farm plot saint st
"""

_NAMES_TOO = """
angel april august beauty bill blessing charity comfort dawn faith favour favor fortune gift glory goodness grace grant
happy honest hope innocent joy june justice lily lovely lucky mark memory mercy patience peace pleasure praise precious
pretty prince princess queen rose sugar sunny sweet talent trust victory wisdom
"""

NUMBERS = frozenset(_NUMBERS.split())
NAMES_TOO = frozenset(_NAMES_TOO.split())  # where a text has capitals, only these tell the name from the word
PLAIN = NUMBERS.union(_FUNCTION.split(), _KIN_AND_TITLES.split(), _PLACES.split())
