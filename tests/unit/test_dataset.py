"""Labelled reviews and the inputs made of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from reviewlens.bundle import Bundle
from reviewlens.errors import InputContractError
from reviewlens.taxonomy import Taxonomy
from reviewlens.training.dataset import (
    KeywordDataset,
    Label,
    LabelledReview,
    SentimentDataset,
    keyword_matrix,
    read_labelled,
    split_reviews,
)

REVIEW = LabelledReview(
    "1", "옷은 예쁘지만 배송은 늦어요", (Label("디자인", "긍정"), Label("배송", "부정", ("늦어요",)))
)
NONE = LabelledReview("2", "그냥 그래요", ())


def test_labels_are_read_from_json_lines(tmp_path: Path, taxonomy: Taxonomy) -> None:
    """A review without labels is a label too: no keyword."""
    rows = [
        {
            "id": "1",
            "text": REVIEW.text,
            "labels": [
                {"keyword": "디자인", "sentiment": "긍정", "evidence": []},
                {"keyword": "배송", "sentiment": "부정", "evidence": ["늦어요"]},
            ],
        },
        {"id": "2", "text": NONE.text, "labels": []},
    ]
    file = tmp_path / "labels.jsonl"
    file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    assert read_labelled(file, taxonomy) == [REVIEW, NONE]
    assert keyword_matrix([REVIEW, NONE], taxonomy).sum(axis=1).tolist() == [2, 0]


def test_faulty_labels_are_counted_and_named_without_their_text(tmp_path: Path, taxonomy: Taxonomy) -> None:
    """An unknown keyword, a missing text."""
    file = tmp_path / "labels.jsonl"
    file.write_text(
        '{"id": "1", "text": "비밀이에요", "labels": [{"keyword": "맛", "sentiment": "긍정", "evidence": []}]}\n'
        '{"id": "2", "text": null, "labels": []}\n'
    )
    with pytest.raises(
        InputContractError, match=r"2 faulty rows\. row 1: not in taxonomy 2026\.1: 맛; row 2"
    ) as caught:
        read_labelled(file, taxonomy)
    assert "비밀" not in str(caught.value)


def test_parts_are_stable_and_equal_texts_never_part() -> None:
    """A review's part follows from its text and the salt alone, about in the shares asked for."""
    reviews = [LabelledReview(str(index), f"리뷰 {index // 2}", ()) for index in range(4000)]
    parts = split_reviews(reviews, 0.1, 0.2, "salt")
    assert {name: len(part) for name, part in parts.items()} == pytest.approx(
        {"train": 2800, "validation": 400, "test": 800}, rel=0.15
    )
    texts = [{review.text for review in part} for part in parts.values()]
    assert not texts[0] & texts[1]
    assert not texts[0] & texts[2]
    assert split_reviews(reviews[::-1], 0.1, 0.2, "salt")["test"] == parts["test"][::-1]
    assert split_reviews(reviews, 0.1, 0.2, "other")["test"] != parts["test"]


def test_words_are_hidden_in_a_share_of_the_readings(tiny_bundle: Bundle, taxonomy: Taxonomy) -> None:
    """Whole words give way to one mask token each, anew at each reading; labels stay; a seed repeats it."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_bundle.path / "keyword")
    reviews = [REVIEW] * 2000

    def read(seed: int) -> list[list[int]]:
        data = KeywordDataset(reviews, taxonomy, tokenizer, 96, np.random.default_rng(seed), 0.25, 0.5)
        return [data[index]["input_ids"] for index in range(len(data))]

    hidden = np.array([ids.count(tokenizer.mask_token_id) for ids in read(1)])
    # Half of the readings, four words each with probability 1/4.
    assert np.mean(hidden) == pytest.approx(0.5, abs=0.06)
    assert np.mean(hidden > 0) == pytest.approx(0.5 * (1 - 0.75**4), abs=0.04)
    assert read(1) == read(1) != read(2)


def test_pairs_are_written_as_prompts_with_the_level_as_label(tiny_bundle: Bundle, taxonomy: Taxonomy) -> None:
    """One input for each labelled keyword."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_bundle.path / "sentiment")
    data = SentimentDataset([REVIEW, NONE], taxonomy, tokenizer, 96, np.random.default_rng(0), 0.5, 0.0)
    expected = tokenizer(taxonomy.write_prompt(REVIEW.text, "배송"))["input_ids"]
    assert len(data) == 2
    assert (data[1]["input_ids"], data[1]["labels"]) == (expected, 1)
