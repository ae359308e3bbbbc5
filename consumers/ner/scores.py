"""How much each kind of find says: the higher score wins where finds overlap (see spans.resolve).

They are in order of how sure a cue is, not probabilities. The general model's own finds stand below all of them but
the last (`analysis.py`).
"""

PLACE_CALLED, HELPLINE, NAME_CALLED = 0.97, 0.96, 0.95
INSTITUTION, LANDMARK, BEARING = 0.93, 0.92, 0.92  # of two landmarks at one place the longer
PLACE, NAME_AGAIN, NAME, NAME_BY_CAPITAL = 0.9, 0.87, 0.85, 0.8
PLACE_BY_CUE, NAME_BY_GRAMMAR, PLACE_BY_PREPOSITION, UNLISTED = 0.7, 0.65, 0.6, 0.5
PLAIN = 0.8  # of words that say nothing of who somebody is: wherever anything else was found, they give way
