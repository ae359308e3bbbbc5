"""A leg that brings nothing while the other one goes on. Pure."""

QUIET_S = 1.0
"""A leg that sent nothing for longer, while the other went on, has a hole."""


def missed(own: int, furthest: int, rate_hz: int, quiet_s: float) -> int:
    """How many samples to leave out before a leg's next audio, so that both legs stay side by side.

    `own` and `furthest` count what this leg and the further of both have sent; `quiet_s` is for how long nothing came
    on this one. Exchanges send nothing for a leg on hold or behind silence suppression: without this, whatever that
    leg says next would stand before what it answers.
    """
    behind = furthest - own
    if quiet_s <= QUIET_S or behind <= QUIET_S * rate_hz:
        return 0
    return min(behind, round(quiet_s * rate_hz))
