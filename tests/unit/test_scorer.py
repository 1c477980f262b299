"""The cascade."""

import unicodedata
from itertools import chain

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from reviewlens import Scorer
from reviewlens.bundle import Bundle
from reviewlens.errors import DeviceError
from reviewlens.inference.highlight import find_highlight
from reviewlens.inference.results import WordEffects
from reviewlens.text import split_words

TEXT = "옷은 예쁘지만 배송은 늦어요"
TEXTS = [TEXT, "ㅋㅋㅋ 배송 배송", "예쁘", "😀 👍🏽 디자인 abc", "", "  ", "늦어요!! 예쁘\n배송 " * 4]


@pytest.fixture(scope="module")
def scorer(tiny_bundle: Bundle) -> Scorer:
    return Scorer.load(tiny_bundle.path)


def test_highlights_agree_with_feature_ablation(scorer: Scorer) -> None:
    """Captum's FeatureAblation over words, on the raw model, finds the same drops and the same word."""
    from captum.attr import FeatureAblation

    tokenizer = AutoTokenizer.from_pretrained(scorer.bundle.path / "keyword")
    model = AutoModelForSequenceClassification.from_pretrained(scorer.bundle.path / "keyword").eval()
    for text in TEXTS[:4]:
        words = split_words(text)
        pieces = [tokenizer(word.text, add_special_tokens=False)["input_ids"] for word in words]

        def forward(present: torch.Tensor, pieces: list[list[int]] = pieces) -> torch.Tensor:
            rows = []
            for flags in present.tolist():
                kept = [ids if flag else [tokenizer.mask_token_id] for flag, ids in zip(flags, pieces, strict=True)]
                ids = [tokenizer.cls_token_id, *chain.from_iterable(kept), tokenizer.sep_token_id]
                rows.append(torch.sigmoid(model(input_ids=torch.tensor([ids])).logits)[0])
            return torch.stack(rows)

        [effects] = scorer.word_effects([text])
        ablation = FeatureAblation(forward)
        mask = torch.arange(len(words))[None]
        for column, keyword in enumerate(scorer.taxonomy.keywords):
            with torch.no_grad():
                drops = ablation.attribute(torch.ones(1, len(words)), target=column, feature_mask=mask)[0].numpy()
            np.testing.assert_allclose(effects.probabilities[column] - effects.without[:, column], drops, atol=1e-5)
            [highlight] = scorer.highlights([(text, keyword)])
            if highlight is None:
                assert drops.max() <= 1e-5
            else:
                assert drops[[word.start for word in words].index(highlight.start)] >= drops.max() - 1e-5


def test_neighbours_and_order_change_nothing(scorer: Scorer) -> None:
    """Alone, together, or backwards: the same labels, and probabilities equal but for rounding."""
    together = scorer.score(TEXTS)
    for scores in (scorer.score(TEXTS[::-1])[::-1], [scorer.score([text])[0] for text in TEXTS]):
        for one, other in zip(together, scores, strict=True):
            assert [found.keyword for found in one.keywords] == [found.keyword for found in other.keywords]
            assert [found.sentiment for found in one.keywords] == [found.sentiment for found in other.keywords]
            assert [_place(found.highlight) for found in one.keywords] == [
                _place(found.highlight) for found in other.keywords
            ]
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_a_score_holds_all_three_stages(scorer: Scorer) -> None:
    """Keywords at or over their thresholds, each with the sentiment and the highlight that the stages give alone."""
    [score] = scorer.score([TEXT])
    found = [name for name, probability in score.probabilities.items() if probability >= 0.5]
    assert [keyword.keyword for keyword in score.keywords] == found
    assert found
    pairs = [(TEXT, name) for name in found]
    sentiments, highlights = scorer.sentiments(pairs), scorer.highlights(pairs)
    for keyword, sentiment, highlight in zip(score.keywords, sentiments, highlights, strict=True):
        assert keyword.probability == pytest.approx(score.probabilities[keyword.keyword])
        assert keyword.sentiment == sentiment.sentiment
        assert keyword.sentiment_probability == pytest.approx(sentiment.probability, abs=1e-5)
        assert sum(sentiment.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert _place(keyword.highlight) == _place(highlight)


def test_offsets_are_code_points_of_the_text_as_given(scorer: Scorer) -> None:
    """NFD in, NFD offsets out, though the model reads NFC; the labels are those of the NFC text."""
    nfd = unicodedata.normalize("NFD", f"😀 {TEXT}")
    [score], [reference] = scorer.score([nfd]), scorer.score([f"😀 {TEXT}"])
    assert score.probabilities == pytest.approx(reference.probabilities, abs=1e-5)
    for found, same in zip(score.keywords, reference.keywords, strict=True):
        if found.highlight is None:
            assert same.highlight is None
            continue
        assert same.highlight is not None
        assert nfd[found.highlight.start : found.highlight.end] == found.highlight.word
        assert unicodedata.normalize("NFC", found.highlight.word) == same.highlight.word


def test_a_text_beyond_the_window_is_cut_after_a_word_and_flagged(scorer: Scorer) -> None:
    """All stages see the same beginning: what stands after the cut changes nothing and is no highlight."""
    long = TEXT + " 배송" * 200
    [score, longer, short] = scorer.score([long, long + " 예쁘", TEXT])
    assert (score.truncated, longer.truncated, short.truncated) == (True, True, False)
    assert score.probabilities == pytest.approx(longer.probabilities, abs=1e-5)
    [effects] = scorer.word_effects([long])
    visible = long[: effects.words[-1].end]
    assert 4 < len(effects.words) < 204
    assert scorer.score([visible])[0].probabilities == pytest.approx(score.probabilities, abs=1e-5)
    assert not scorer.score([visible])[0].truncated


def test_one_word_longer_than_the_window_is_cut_inside_and_stays_one_word(scorer: Scorer) -> None:
    """Its highlight is the whole stored word."""
    word = "늦어요" * 200
    [effects] = scorer.word_effects([word])
    assert [(found.start, found.end) for found in effects.words] == [(0, 600)]
    assert scorer.score([word])[0].truncated


def test_a_piece_that_joins_two_words_still_gives_whole_words(joining_bundle: Bundle) -> None:
    """Words are those of the text, not the tokenizer's: hiding one re-tokenises what is left."""
    scorer = Scorer.load(joining_bundle.path)
    text = "배송 늦어요 예쁘"
    assert "배송▁늦어요" in AutoTokenizer.from_pretrained(joining_bundle.path / "keyword").tokenize(text)
    [effects] = scorer.word_effects([text])
    assert [word.text for word in effects.words] == ["배송", "늦어요", "예쁘"]
    np.testing.assert_allclose(
        effects.without,
        scorer.keyword_probabilities(["<mask> 늦어요 예쁘", "배송 <mask> 예쁘", "배송 늦어요 <mask>"]),
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        ([0.5, 0.2, 0.4], 1),  # the largest drop
        ([0.2, 0.2, 0.4], 0),  # a tie: the earlier word
        ([0.2 + 5e-7, 0.2, 0.4], 0),  # a tie but for rounding
        ([0.95, 0.9, 0.99], None),  # no word's absence lowers 0.9
        ([], None),  # no word at all
    ],
)
def test_the_highlight_is_the_word_that_lowers_most(without: list[float], expected: int | None) -> None:
    """Ties go to the earlier word; where nothing lowers the probability there is no highlight."""
    words = split_words("옷은 예쁘고 싸요")[: len(without)]
    effects = WordEffects(words, np.array([0.9], np.float32), np.array(without, np.float32).reshape(-1, 1))
    highlight = find_highlight(effects, 0)
    assert (highlight and highlight.word) == (None if expected is None else words[expected].text)


def test_no_texts_no_scores(scorer: Scorer) -> None:
    """Empty in, empty out, in every method."""
    assert (scorer.score([]), scorer.sentiments([]), scorer.highlights([])) == ([], [], [])


def test_a_gpu_that_is_not_there_is_an_error(tiny_bundle: Bundle) -> None:
    """Never a silent CPU run."""
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(DeviceError, match="cuda:0"):
        Scorer.load(tiny_bundle.path, device="cuda:0")


def _place(highlight: object) -> tuple[int, int] | None:
    return None if highlight is None else (highlight.start, highlight.end)  # type: ignore[attr-defined]
