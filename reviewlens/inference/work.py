"""What scoring cost: seconds of each stage, and tokens."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Work:
    """Adds up over batches.

    `tokenize_seconds` overlap with the other stages'. Of `inputs` to the models, `duplicates` were equal to another of
    the same stage and pool, and not computed. Of `computed_tokens`, `real_tokens` were no padding. A shortlist's
    gradient passes are in the seconds alone.
    """

    tokenize_seconds: float = 0.0
    keyword_seconds: float = 0.0
    sentiment_seconds: float = 0.0
    highlight_seconds: float = 0.0
    inputs: int = 0
    duplicates: int = 0
    real_tokens: int = 0
    computed_tokens: int = 0

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the seconds of the block to `<stage>_seconds`."""
        began = time.perf_counter()
        try:
            yield
        finally:
            name = f"{stage}_seconds"
            setattr(self, name, getattr(self, name) + time.perf_counter() - began)
