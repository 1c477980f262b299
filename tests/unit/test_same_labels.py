"""Same text, same labels: whatever the neighbours, the order, the batch size and the chunking."""

import json
from collections.abc import Sequence

import numpy as np
import pytest

from reviewlens import Scorer
from reviewlens.bundle import STARTER
from reviewlens.inference.backends import GUARD_BAND, Dtype
from reviewlens.inference.results import KeywordScore, Score, WordEffects

CORPUS = STARTER.parent / "corpus" / "reviews.jsonl"
TEXTS = [json.loads(line)["text"] for line in CORPUS.read_text(encoding="utf-8").splitlines()[5:600:30]]


def score_in(scorer: Scorer, order: Sequence[int], pool: int, token_budget: int) -> list[Score]:
    """The scores of `TEXTS`, in their order, when they come in another one, in pools and batches of this size."""
    scorer.keyword.token_budget = scorer.sentiment.token_budget = token_budget
    pools = [[TEXTS[index] for index in order[start : start + pool]] for start in range(0, len(order), pool)]
    outcomes = [outcome for part, _ in scorer.score_pools(pools) for outcome in part]
    found = dict(zip(order, outcomes, strict=True))
    return [found[index] for index in range(len(TEXTS))]  # type: ignore[misc]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_company_moves_probabilities_within_the_band_and_no_label_outside_it(dtype: Dtype) -> None:
    """Alone, in other company and in other batches, against all texts together."""
    scorer, band = Scorer.load("starter", dtype=dtype), GUARD_BAND[dtype]
    together = score_in(scorer, range(len(TEXTS)), len(TEXTS), 2_048)
    effects = dict(zip(TEXTS, scorer.word_effects(TEXTS), strict=True))
    judged = {
        (text, name): np.sort(list(scorer.sentiments([(text, name)])[0].probabilities.values()))
        for text, score in zip(TEXTS, together, strict=True)
        for name in (found.keyword for found in score.keywords)
    }
    shuffled = np.random.default_rng(3).permutation(len(TEXTS)).tolist()
    for order, pool, budget in ((range(len(TEXTS)), 1, 2_048), (range(len(TEXTS))[::-1], 7, 8_192), (shuffled, 11, 96)):
        for text, one, other in zip(TEXTS, together, score_in(scorer, order, pool, budget), strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=band)
            first, second = _by_keyword(one), _by_keyword(other)
            for name in first.keys() ^ second.keys():
                assert abs(one.probabilities[name] - scorer.bundle.manifest.thresholds[name]) < band
            for name in first.keys() & second.keys():
                if first[name].sentiment != second[name].sentiment:
                    assert judged[text, name][-1] - judged[text, name][-2] < 2 * band
                places = [_place(first[name]), _place(second[name])]
                if places[0] != places[1]:
                    _assert_close(effects[text], scorer.taxonomy.keywords.index(name), places, 2 * band)


def _by_keyword(score: Score) -> dict[str, KeywordScore]:
    return {found.keyword: found for found in score.keywords}


def _place(found: KeywordScore) -> int | None:
    return None if found.highlight is None else found.highlight.start


def _assert_close(effects: WordEffects, column: int, places: list[int | None], band: float) -> None:
    without = {word.start: row[column] for word, row in zip(effects.words, effects.without, strict=True)}
    values = [effects.probabilities[column] if place is None else without[place] for place in places]
    assert abs(values[0] - values[1]) < band
