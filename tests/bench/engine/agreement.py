"""How often a contestant's labels are the reference's."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.bench.engine.labels import Labels, Stage


@dataclass(frozen=True, slots=True)
class Agreement:
    """Shares of decisions that are the same.

    `keywords` is over reviews × all keywords of the taxonomy; `sentiments` and `highlights` are over the keywords of
    reviews that both found, None where the stage was not run or nothing was found.
    """

    keywords: float
    sentiments: float | None
    highlights: float | None
    pairs: int


def compare_labels(reference: Sequence[Labels], labels: Sequence[Labels], keywords: int, stage: Stage) -> Agreement:
    """Compare labels of the same reviews, in the same order.

    Args:
        reference: what is right.
        labels: what a contestant says.
        keywords: how many the taxonomy has.
        stage: what the contestant ran.
    """
    rows = list(zip(reference, labels, strict=True))
    differing = sum(len(right.keys() ^ said.keys()) for right, said in rows)
    pairs = [(right[name], said[name]) for right, said in rows for name in right.keys() & said.keys()]
    judged = bool(pairs) and stage == "cascade"
    return Agreement(
        keywords=1 - differing / (len(rows) * keywords),
        sentiments=sum(a.sentiment == b.sentiment for a, b in pairs) / len(pairs) if judged else None,
        highlights=sum((a.start, a.end) == (b.start, b.end) for a, b in pairs) / len(pairs) if judged else None,
        pairs=len(pairs),
    )
