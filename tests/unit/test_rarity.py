"""Rarity: characters and pieces that the training data rarely or never had."""

import unicodedata

import numpy as np
import pytest

from reviewlens.errors import InputContractError
from reviewlens.sampling.rarity import RarityModel, reduce_text

CORPUS = ["배송이 빨라요", "배송이 늦어요", "색이 예뻐요", "배송이 빨라요", "색이 곱다"] * 4 + ["딱 한번"]


@pytest.fixture(scope="module")
def model() -> RarityModel:
    return RarityModel.train(CORPUS)


def value(model: RarityModel, text: str) -> float:
    return float(model.score([text])[0][0])


@pytest.mark.parametrize(
    ("text", "reduced"),
    [
        ("좋아요ㅋㅋㅋㅋ ㅠㅠ!!!", "좋아요ㅋ ㅠ!"),
        ("ㅋㅎㅋㅎㅋㅎ 쏙쏙 들어가요", "ㅋㅎ 쏙쏙 들어가요"),
        ("강추 강추 강추 강추", "강추"),
        ("문의 010-1234-5678 https://shop.kr/a?b=1 me@a.kr ORD20261105X 끝", "문의 끝"),
        ("55 사이즈 2XL 30000원", "55 사이즈 2XL 원"),
        (unicodedata.normalize("NFD", "예뻐요"), "예뻐요"),
        ("①ㅋ", "①ㅋ"),
        ("  ", ""),
    ],
)
def test_what_is_merely_typed_often_or_is_no_language_is_left_out(text: str, reduced: str) -> None:
    """Runs, repeated words, addresses and numbers; NFC, and no NFKC."""
    assert reduce_text(text) == reduced


def test_values_follow_the_counts_of_pieces(model: RarityModel) -> None:
    """Known words are worth little, a word that was seen once more, unknown characters most."""
    common, once, unknown = (value(model, text) for text in ("배송이 빨라요", "딱 한번", "쉟쉪숽 뷁쀍"))
    assert 0 < common < once < unknown


def test_a_character_weighs_1_over_1_plus_the_count_of_its_piece() -> None:
    """By hand: 가 was there three times, 다 once, and the emoji never; divided by ten characters at least."""
    model = RarityModel.train(["가 나", "나 가", "가 다"])
    values, details = model.score(["가 다 😀", "가", "가나다라마바사아자차카타파하 가 가"])
    np.testing.assert_allclose(values[:2], [(1 / 4 + 1 / 2 + 1) / 10, (1 / 4) / 10])
    assert details[:2] == ["😀", "가"]
    assert values[2] == pytest.approx((4 + 1 / 4) / 15)  # a word is worth 4 unknown characters at most


def test_drawn_out_letters_and_repeated_tokens_do_not_make_a_text_rarer(model: RarityModel) -> None:
    """Spam is worth what one of it is, and a mashed keyboard is one word."""
    assert value(model, "배송이 빨라요 ㅋㅋㅋㅋㅋㅋㅋㅋㅋㅋ") == value(model, "배송이 빨라요 ㅋㅋㅋ")
    assert value(model, "뷁 " * 50) == value(model, "뷁")
    assert value(model, "쉟둟켍뷁쀍훫뢟쵥눼꿻쉟뷁켍둟쀍뢟훫쵥꿻눼") <= 4 / 20


@pytest.mark.parametrize("text", ["😀😀😀", "😀👍🏽❤️", "", " ", "010-1234-5678"])
def test_texts_without_a_word_are_measured_too(model: RarityModel, text: str) -> None:
    """Emoji alone are rare, but less than a rare sentence; nothing at all is not."""
    assert value(model, text) <= 0.4
    assert (value(model, text) > 0) == ("😀" in text)


def test_training_is_the_same_twice_and_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    """Same texts, same values, and no word on the screen."""
    texts = [*CORPUS, "쫀쫀한 원단 🧵"]
    one, two = RarityModel.train(CORPUS), RarityModel.train(CORPUS)
    assert one._counts == two._counts
    assert one.score(texts)[0].tolist() == two.score(texts)[0].tolist()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("texts", [[], ["", " ", "01012345678"]])
def test_no_text_to_train_on_is_an_error(texts: list[str]) -> None:
    """With what to do."""
    with pytest.raises(InputContractError, match="--rarity_corpus"):
        RarityModel.train(texts)


@pytest.mark.parametrize("text", ["a", "😀", "가나다"])
def test_a_training_set_of_one_word_is_enough(text: str) -> None:
    """A first round may be tiny."""
    assert value(RarityModel.train([text]), text) > 0


def test_letters_stay_what_they_are() -> None:
    """No NFKC, which would make a conjoining consonant of a lone one, and 1 of ①."""
    values, details = RarityModel.train(["가 1 나"]).score(["ㅌ", "1", "①"])
    assert details == ["ㅌ", "1", "①"]
    np.testing.assert_allclose(values, [0.1, 0.05, 0.1])
