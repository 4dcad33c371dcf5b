"""For processes under libfaketime: ``time.sleep`` by another call. Of the one that Python uses, Debian's libfaketime
(0.9.10) makes "Invalid argument": it takes the monotonic instant for one of the wall clock."""

import select
import time


def _sleep(seconds: float) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = _sleep
