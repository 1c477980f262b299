"""Picks as Label Studio's tasks, with what the model said as pre-annotations."""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

from reviewlens.labeling.labels import Guess, Pick
from reviewlens.labeling.studio_config import HIGHLIGHTS, KEYWORDS, SENTIMENT_PREFIX, TEXT
from reviewlens.taxonomy import Taxonomy


def order_picks(picks: Sequence[Pick]) -> list[Pick]:
    """The picks in the order of a hash, which mixes malls and reasons, and is the same at each export."""
    return sorted(picks, key=lambda pick: (_hash(pick), pick.review_id))


def select_double(picks: Sequence[Pick], share: float) -> list[Pick]:
    """The picks that a second person labels: the first of the hash's order, their number rounded up."""
    return order_picks(picks)[: math.ceil(round(share * len(picks), 6))]


def build_task(pick: Pick, taxonomy: Taxonomy) -> dict[str, Any]:
    """One task; offsets of highlights are code points, as Label Studio's editor counts them.

    The prediction's score is the probability of the keyword that the model is least sure of; where it found none,
    what is left of 1 by the surest one. Keywords and sentiments that the taxonomy lacks are left out.
    """
    guesses = known_guesses(pick, taxonomy)
    score = min((guess.probability for guess in guesses), default=1 - pick.surest)
    prediction = {
        "model_version": pick.bundle_id,
        "score": min(max(score, 0.0), 1.0),
        "result": _build_result(guesses) if guesses else [],
    }
    data = {
        "review_id": pick.review_id,
        "round": pick.round,
        "text": pick.text,
        "mall_id": pick.mall_id,
        "category": pick.category,
        "taxonomy_version": taxonomy.version,
    }
    return {"data": data, "predictions": [prediction]}


def known_guesses(pick: Pick, taxonomy: Taxonomy) -> list[Guess]:
    """What the model said in terms of the taxonomy: an older bundle may know other keywords."""
    return [
        guess
        for guess in pick.guesses
        if guess.keyword in taxonomy.keywords and guess.sentiment in taxonomy.sentiment_names
    ]


def _build_result(guesses: Sequence[Guess]) -> list[dict[str, Any]]:
    result = [_region("keywords", KEYWORDS, "choices", choices=[guess.keyword for guess in guesses])]
    for number, guess in enumerate(guesses):
        name = f"{SENTIMENT_PREFIX}{guess.keyword}"
        sentiment = _region(f"sentiment-{number}", name, "choices", choices=[guess.sentiment])
        result.append(sentiment | {"score": guess.sentiment_probability})
        if (word := guess.highlight) is not None:
            place = {"start": word.start, "end": word.end, "text": word.word}
            result.append(_region(f"highlight-{number}", HIGHLIGHTS, "labels", labels=[guess.keyword], **place))
    return result


def _region(region_id: str, name: str, kind: str, **value: object) -> dict[str, Any]:
    return {"id": region_id, "from_name": name, "to_name": TEXT, "type": kind, "value": value}


def _hash(pick: Pick) -> str:
    return hashlib.sha256(f"label\x00{pick.round}\x00{pick.review_id}".encode()).hexdigest()
