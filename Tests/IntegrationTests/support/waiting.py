"""Conditions are awaited, with a deadline; nothing sleeps for a fixed time and hopes."""

import time

INTERVAL_SECONDS = 0.03
LONG_ENOUGH_SECONDS = 60
"""For what usually takes a second or two; two shared cores can make it ten times that."""


class NotInTime(AssertionError):
    pass


def until(what, condition, seconds=LONG_ENOUGH_SECONDS, interval=INTERVAL_SECONDS, alive=None):
    """The first true answer of `condition`; `what` says, for a person, what was awaited in vain. `alive` is called
    between attempts and raises when waiting on makes no sense any more (the program has ended)."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer, trouble = condition(), None
        except (OSError, KeyError, LookupError) as error:
            answer, trouble = None, error
        if answer:
            return answer
        if alive is not None:
            alive()
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {seconds} s: {what}; last answer: {trouble or answer!r}")
        time.sleep(interval)
