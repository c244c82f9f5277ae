"""How processes that serve requests collect garbage."""

import gc

# Young objects are looked at after so many allocations, not 700: a request makes thousands, most of them without
# cycles and gone before it ends.
_ALLOCATIONS = 20_000


def settle_down() -> None:
    """Called once a process has started: what it has loaded is never looked at again, the rest less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 20, 20)
