"""The encoder's vectors."""

import numpy as np
import pytest

from reviewlens import Scorer
from reviewlens.bundle import Bundle

TEXTS = ["옷은 예쁘지만 배송은 늦어요", "ㅋㅋㅋ 배송 배송", "예쁘", "😀 👍🏽", "", "늦어요!! 예쁘\n배송 " * 4, "예쁘"]


@pytest.fixture(scope="module")
def scorer(tiny_bundle: Bundle) -> Scorer:
    return Scorer.load(tiny_bundle.path)


def test_a_texts_vector_does_not_depend_on_its_neighbours(tiny_bundle: Bundle, scorer: Scorer) -> None:
    """Alone, together, backwards, or in batches of another size: equal but for rounding."""
    together = scorer.keyword_vectors(TEXTS)
    assert together.shape == (7, 32)
    assert (together[2] == together[6]).all()
    alone = np.concatenate([scorer.keyword_vectors([text]) for text in TEXTS])
    small = Scorer.load(tiny_bundle.path, token_budget=16)
    for other in (alone, scorer.keyword_vectors(TEXTS[::-1])[::-1], small.keyword_vectors(TEXTS)):
        np.testing.assert_allclose(together, other, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 0.01


def test_a_vector_is_the_mean_over_the_texts_tokens(scorer: Scorer) -> None:
    """As the raw model gives them, padding aside."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    path = scorer.bundle.path / "keyword"
    encoded = AutoTokenizer.from_pretrained(path)([TEXTS[0]], return_tensors="pt")
    model = AutoModelForSequenceClassification.from_pretrained(path).eval()
    with torch.no_grad():
        states = model.base_model(**encoded).last_hidden_state[0]
    np.testing.assert_allclose(scorer.keyword_vectors(TEXTS)[0], states.mean(dim=0).numpy(), atol=1e-5)


def test_no_texts_no_vectors(scorer: Scorer) -> None:
    """Empty in, empty out."""
    assert scorer.keyword_vectors([]).shape == (0, 32)
