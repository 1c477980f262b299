import json
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from reviewlens.bundle import Bundle, read_bundle, seal_bundle
from reviewlens.errors import InputContractError
from reviewlens.inference.results import Highlight, SentimentScore
from reviewlens.inference.scorer import Scorer
from reviewlens.taxonomy import Taxonomy
from reviewlens.training.baseline import Baseline
from reviewlens.training.card import Encoder, Measured, write_card
from reviewlens.training.dataset import Label, LabelledReview
from reviewlens.training.evaluation import Evaluation, evaluate, measure
from reviewlens.training.metrics import MICRO, find_figures

DECOMPOSED = unicodedata.normalize("NFD", "색이 정말 이뻐요ㅋㅋㅋ😍")
REVIEWS = [
    LabelledReview(
        "r1",
        "옷은 예쁘지만 배송은 늦어요",
        (Label("디자인", "긍정", ("예쁘지만",)), Label("배송", "부정", ("배송은", "늦어요"))),
    ),
    LabelledReview("r2", DECOMPOSED, (Label("색상", "매우긍정", ("이뻐요ㅋㅋㅋ😍",)),)),
    LabelledReview("r3", "그냥 그래요", ()),
    LabelledReview("r4", "튼튼하긴 한데 무난", (Label("품질", "중립"),)),
]


class _Cascade:
    """Answers from a table: the probability, sentiment and highlight of each (text, keyword)."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        first, second, third, fourth = (review.text for review in REVIEWS)
        self._answers: dict[tuple[str, str], tuple[float, str, str | None]] = {
            (first, "디자인"): (0.9, "매우긍정", "예쁘지만"),
            (first, "배송"): (0.4, "부정", None),
            (second, "색상"): (0.2, "중립", DECOMPOSED.split()[2]),
            (third, "가격"): (0.6, "중립", None),
            (fourth, "품질"): (0.7, "중립", "무난"),
        }

    def keyword_probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        names = self.taxonomy.keywords
        rows = [[self._answers.get((text, name), (0.0,))[0] for name in names] for text in texts]
        return np.array(rows, dtype=np.float32)

    def sentiments(self, pairs: Sequence[tuple[str, str]]) -> list[SentimentScore]:
        return [SentimentScore(self._answers[pair][1], 1.0, {}) for pair in pairs]

    def highlights(self, pairs: Sequence[tuple[str, str]]) -> list[Highlight | None]:
        words = [self._answers[pair][2] for pair in pairs]
        return [None if word is None else Highlight(word, 0, len(word), 0.0) for word in words]


@pytest.fixture
def evaluation(taxonomy: Taxonomy) -> Evaluation:
    """Keywords right 디자인, 배송, 품질; missed 색상; wrong 가격. `배송` stands exactly on its threshold."""
    return measure(_Cascade(taxonomy), dict.fromkeys(taxonomy.keywords, 0.5) | {"배송": 0.4}, REVIEWS)


def test_each_stage_is_measured(evaluation: Evaluation) -> None:
    """Keywords at the thresholds; sentiments on the true keywords, by level and by sign."""
    assert (evaluation.reviews, evaluation.pairs) == (4, 4)
    micro = find_figures(evaluation.keywords, MICRO)
    assert (micro.precision, micro.recall, micro.support) == (0.75, 0.75, 4)
    assert find_figures(evaluation.keywords, "배송").recall == 1.0
    assert find_figures(evaluation.sentiments, "중립").precision == 0.5
    assert evaluation.sentiment_accuracy == 0.5
    assert evaluation.sign_accuracy == 0.75


def test_highlight_hits_are_evidence_words(evaluation: Evaluation) -> None:
    """None is a miss, a pair without evidence is not counted, and a decomposed word equals its composed form."""
    assert (evaluation.highlight_hits, evaluation.highlight_pairs) == (2, 3)
    assert evaluation.highlight_hit_rate == pytest.approx(2 / 3)


def test_an_evaluation_is_json_also_without_any_evidence(taxonomy: Taxonomy) -> None:
    """A rate over nothing is null, for JSON has no NaN."""
    figures = measure(_Cascade(taxonomy), dict.fromkeys(taxonomy.keywords, 0.5), REVIEWS[3:]).to_dict()
    told = json.loads(json.dumps(figures, allow_nan=False))
    assert told["highlight_hit_rate"] is None
    assert told["keywords"]["품질"] == {"precision": 1.0, "recall": 1.0, "f1-score": 1.0, "support": 1}


def test_reviews_without_keywords_cannot_be_measured(taxonomy: Taxonomy) -> None:
    """The error says how many reviews there were, and none of their text."""
    with pytest.raises(InputContractError, match="1 labelled reviews name no keyword") as caught:
        measure(_Cascade(taxonomy), dict.fromkeys(taxonomy.keywords, 0.5), REVIEWS[2:3])
    assert "그냥" not in str(caught.value)


def test_a_bundle_is_measured_at_its_own_thresholds(tiny_bundle: Bundle, taxonomy: Taxonomy, tmp_path: Path) -> None:
    """Under thresholds of 0 every keyword of every review is found."""
    shutil.copytree(tiny_bundle.path, tmp_path / "open")
    seal_bundle(tmp_path / "open", taxonomy, dict.fromkeys(taxonomy.keywords, 0.0), training_set="none")
    micro = find_figures(evaluate(Scorer.load(tmp_path / "open"), REVIEWS).keywords, MICRO)
    assert micro.recall == 1.0
    assert micro.precision == pytest.approx(4 / (4 * 14))


@pytest.mark.filterwarnings("ignore:Label not")
def test_the_baseline_learns_and_is_measured_alike(taxonomy: Taxonomy) -> None:
    """Two keywords and two levels of the taxonomy are enough to fit it; the other levels keep probability 0."""
    words = {"배송": ("빨라요", "느려요"), "색상": ("고와요", "칙칙해요")}
    reviews = [
        LabelledReview(f"{keyword}{level}{i}", f"{i}번째 주문 {word}", (Label(keyword, level, (word,)),))
        for keyword, pair in words.items()
        for level, word in zip(("긍정", "부정"), pair, strict=True)
        for i in range(6)
    ]
    baseline = Baseline.fit(reviews, taxonomy)
    figures = measure(baseline, dict.fromkeys(taxonomy.keywords, 0.5), reviews)
    assert find_figures(figures.keywords, MICRO).f1 == 1.0
    assert figures.sentiment_accuracy == 1.0
    assert figures.highlight_hit_rate == 1.0
    [judged] = baseline.sentiments([("주문 칙칙해요", "색상")])
    assert judged.sentiment == "부정"
    assert judged.probabilities["매우부정"] == 0.0
    assert sum(judged.probabilities.values()) == pytest.approx(1.0)


def test_the_card_tells_what_was_measured(tiny_bundle: Bundle, evaluation: Evaluation, tmp_path: Path) -> None:
    """Model and baseline side by side, origin, limits and command; and the bundle is still whole."""
    shutil.copytree(tiny_bundle.path, tmp_path / "bundle")
    bundle = read_bundle(tmp_path / "bundle")
    card = write_card(
        bundle,
        encoder=Encoder("some-encoder", "a {wheel}", "MIT"),
        licence="MIT",
        parts={"train": 10_700, "test": 4},
        results=[Measured("held-out", evaluation, baseline=evaluation), Measured("shop", evaluation)],
        limits=["Fashion only."],
        command="./spark-submit.sh train_model --seed 7",
    )
    text = card.read_text(encoding="utf-8")
    figures = "4|0.750|0.214|0.500|0.333|0.750|0.667|"
    for line in (
        f"# ReviewLens bundle {bundle.bundle_id}",
        "- Encoder: some-encoder (MIT), from a {wheel}",
        "- Training set: random weights; reviews: train 10,700, test 4",
        f"|held-out|model|{figures}",
        f"|held-out|baseline|{figures}",
        f"|shop|model|{figures}",
        "|배송|1.00|1.00|1.00|1|",
        "- Fashion only.",
        "./spark-submit.sh train_model --seed 7",
    ):
        assert line in text.splitlines()
    assert card == bundle.path / "README.md"
    assert read_bundle(bundle.path) == bundle
