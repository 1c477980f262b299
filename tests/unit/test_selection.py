"""The selection: quotas, turns, caps, reasons, and a random part that no criterion can touch."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reviewlens.errors import ConfigError
from reviewlens.sampling.allocation import allocate
from reviewlens.sampling.criteria import CRITERIA, rank_percentiles
from reviewlens.sampling.selection import Selection, select_picks, share_quotas
from reviewlens.sampling.similarity import TakenTexts
from reviewlens.text import skeleton

SHARES = {"keyword": 0.3, "sentiment": 0.3, "rarity": 0.2, "outlier": 0.2}
SYLLABLES = [chr(code) for code in range(ord("가"), ord("힣"), 11)]


def make_pool(
    strata: Sequence[str], values: Mapping[str, Sequence[float]] | None = None, texts: Sequence[str] | None = None
) -> pd.DataFrame:
    """A pool of distinct texts, a hundredth of its population, each row in a cluster of its own."""
    rows = len(strata)
    pool = pd.DataFrame({"stratum": list(strata), "review_id": [f"r{row:05}" for row in range(rows)]})
    pool["draw_order"] = pool.groupby("stratum").cumcount() + 1
    pool["population"] = 100 * pool["stratum"].map(pool["stratum"].value_counts())
    made = [
        "".join(SYLLABLES[(row * 7 + step * 13 + row * step) % len(SYLLABLES)] for step in range(8))
        for row in range(rows)
    ]
    pool["text"] = made if texts is None else list(texts)
    pool["cluster"] = range(rows)
    for name in CRITERIA:
        pool[f"{name}_value"] = (values or {}).get(name, np.linspace(1, 0.1, rows))
        pool[f"{name}_percentile"] = rank_percentiles(pool[f"{name}_value"].to_numpy())
    return pool


def ids(selection: Selection, *, random: bool) -> list[str]:
    picks = selection.picks
    return picks["review_id"][picks["is_random"] == random].tolist()


def test_a_round_by_hand() -> None:
    """Ten picks of two malls: the random ones first in draw order, the criteria in turn, each its best."""
    values = {
        "keyword": [0.1] * 20,
        "sentiment": [0.0] * 19 + [0.5],
        "rarity": [row / 100 for row in range(20)],
        "outlier": [0.0] * 20,
    }
    selection = select_picks(make_pool(["a"] * 15 + ["b"] * 5, values), 8, 0.25, SHARES)
    picks = selection.picks
    assert selection.quotas == {"a": 6, "b": 2}
    assert ids(selection, random=True) == ["r00000", "r00001"]
    assert picks["pick_probability"].tolist()[:2] == [2 / 1500] * 2
    assert picks["pick_probability"].isna().sum() == 6
    # keyword: all equal, so by draw order; sentiment has one row; rarity takes from the top down, where there is room.
    assert dict(zip(picks["review_id"], picks["reason"], strict=True)) == {
        "r00000": "random",
        "r00001": "random",
        "r00015": "keyword",
        "r00019": "sentiment",
        "r00014": "rarity",
        "r00002": "keyword",
        "r00013": "rarity",
        "r00003": "keyword",
    }
    reasons = dict(zip(picks["review_id"], picks["reasons"], strict=True))
    assert reasons["r00019"] == ["sentiment", "rarity"]
    assert reasons["r00014"] == ["rarity"]
    assert (selection.moved, selection.shortfall) == (0, 0)
    assert set(picks["pool_rows"]) == {15, 5}


@st.composite
def pools(draw: st.DrawFn) -> tuple[pd.DataFrame, int, float, int]:
    sizes = draw(st.lists(st.integers(1, 30), min_size=1, max_size=6))
    seed = draw(st.integers(0, 1_000))
    rng = np.random.default_rng(seed)
    strata = [f"mall{number}" for number, size in enumerate(sizes) for _ in range(size)]
    words = ["좋아요", "배송이 빨라요", "색이 곱다", "😀", "작아요", "뷁"]
    texts = [" ".join(rng.choice(words, rng.integers(1, 5))) + str(rng.integers(0, 9)) for _ in strata]
    values = {name: np.round(rng.random(len(strata)), 1).tolist() for name in CRITERIA}
    pool = make_pool(strata, values, texts)
    pool["cluster"] = rng.integers(0, 4, len(pool))
    return pool.sample(frac=1, random_state=seed), draw(st.integers(1, 80)), draw(st.floats(0, 1)), seed


@settings(max_examples=150, deadline=None)
@given(pools())
def test_what_holds_of_every_selection(case: tuple[pd.DataFrame, int, float, int]) -> None:
    """Sums, quotas and caps hold, nothing is taken twice, and no criterion moves a random row."""
    pool, rows, random_share, seed = case
    selection = select_picks(pool, rows, random_share, SHARES, max_similarity=0.9)
    picks = selection.picks
    held = Counter(pool["stratum"].tolist())
    populations = dict(zip(pool["stratum"].tolist(), pool["population"].tolist(), strict=True))
    assert selection.quotas == allocate(held, rows, weights=populations).sizes
    assert len(picks) + selection.shortfall == rows
    assert picks["review_id"].is_unique
    counts = Counter(picks["stratum"].tolist())
    beyond = sum(max(0, count - selection.quotas[stratum]) for stratum, count in counts.items())
    assert beyond == selection.moved
    assert picks["is_random"].sum() == round(random_share * min(rows, len(pool)))

    records = picks.to_dict("records")
    first = {(row["stratum"], row["draw_order"]) for row in records if row["is_random"]}
    of_stratum = Counter(stratum for stratum, _ in first)
    assert first == {(stratum, order) for stratum, size in of_stratum.items() for order in range(1, size + 1)}
    for row in records:
        share = of_stratum[row["stratum"]] / populations[row["stratum"]] if row["is_random"] else np.nan
        np.testing.assert_equal(row["pick_probability"], share)
        assert row["reasons"][0] == row["reason"]
        assert row["reason"] == "random" or row[f"{row['reason']}_value"] > 0

    chosen = picks[~picks["is_random"]]
    keys = [skeleton(text) or text for text in picks["text"]]
    for place in chosen.index:
        assert keys[place] not in keys[:place]
    wanted = min(rows, len(pool)) - picks["is_random"].sum()
    crowd = np.ceil(max(0.1 * wanted, 2 * wanted / pool["cluster"].nunique()))
    assert chosen["cluster"].value_counts().max() <= crowd if len(chosen) else True

    rng = np.random.default_rng(seed + 1)
    other = pool.copy()
    for name in CRITERIA:
        other[f"{name}_value"] = rng.random(len(pool))
        other[f"{name}_percentile"] = rank_percentiles(other[f"{name}_value"].to_numpy())
    other["cluster"] = rng.integers(0, 9, len(pool))
    assert ids(select_picks(other, rows, random_share, {"rarity": 1}), random=True) == ids(selection, random=True)
    again = select_picks(pool.sample(frac=1, random_state=seed + 1), rows, random_share, SHARES, max_similarity=0.9)
    assert again.picks["review_id"].tolist() == picks["review_id"].tolist()


def test_each_criterion_gets_its_share() -> None:
    """Of 40 chosen ones by shares of 3:3:2:2, interleaved, so that none takes all the best first."""
    rng = np.random.default_rng(0)
    values = {name: rng.random(400).tolist() for name in CRITERIA}
    picks = select_picks(make_pool(["a"] * 400, values), 40, 0, SHARES).picks
    assert Counter(picks["reason"]) == {"keyword": 12, "sentiment": 12, "rarity": 8, "outlier": 8}
    assert Counter(picks["reason"][:10]) == {"keyword": 3, "sentiment": 3, "rarity": 2, "outlier": 2}
    for name in CRITERIA:
        percentiles = picks[f"{name}_percentile"][picks["reason"] == name]
        assert percentiles.is_monotonic_decreasing
        assert percentiles.min() > 0.9


def test_quotas_of_criteria_are_by_largest_remainder() -> None:
    """They sum to the rows; a share of 0 is no part."""
    assert share_quotas(SHARES, 7) == {"keyword": 2, "sentiment": 2, "outlier": 2, "rarity": 1}
    assert share_quotas({"keyword": 5, "rarity": 0}, 3) == {"keyword": 3}
    with pytest.raises(ConfigError, match="At least one criterion"):
        select_picks(make_pool(["a"]), 1, 0, {"keyword": 0})


def test_a_mall_of_near_duplicates_gives_one_and_the_others_the_rest() -> None:
    """Its quota is 5; what goes to others is told."""
    texts = ["배송이 정말 빨라요" + "!" * row for row in range(10)]
    texts += [f"{SYLLABLES[row]}{SYLLABLES[row + 99]}{SYLLABLES[row + 200]}{SYLLABLES[row + 300]}" for row in range(10)]
    selection = select_picks(make_pool(["a"] * 10 + ["b"] * 10, texts=texts), 10, 0, SHARES)
    assert Counter(selection.picks["stratum"]) == {"a": 1, "b": 9}
    assert (selection.quotas, selection.moved, selection.shortfall) == ({"a": 5, "b": 5}, 4, 0)


def test_a_crowded_cluster_is_capped_and_the_shortfall_told() -> None:
    """20 of 22 rows lie in one cluster; twice an even share is all that it may give."""
    pool = make_pool(["a"] * 22)
    pool["cluster"] = [0] * 20 + [1, 2]
    selection = select_picks(pool, 12, 0, SHARES)
    assert Counter(selection.picks["cluster"]) == {0: 8, 1: 1, 2: 1}
    assert selection.shortfall == 2
    pool["cluster"] = 0
    assert select_picks(pool, 12, 0, SHARES).shortfall == 0


def test_random_picks_are_never_capped() -> None:
    """Equal texts in one cluster: a random sample has what the population has."""
    pool = make_pool(["a"] * 10, texts=["같은 말"] * 10)
    pool["cluster"] = 0
    selection = select_picks(pool, 8, 0.5, SHARES)
    assert ids(selection, random=True) == [f"r{row:05}" for row in range(4)]
    assert ids(selection, random=False) == []
    assert selection.shortfall == 4


@pytest.mark.parametrize("random_share", [0, 0.25, 1])
def test_a_pool_smaller_than_the_picks_gives_all(random_share: float) -> None:
    """Malls of one review among them, quotas larger than malls, and the shortfall."""
    pool = make_pool(["[null]", *["a"] * 5, "b"])
    selection = select_picks(pool, 30, random_share, SHARES)
    assert sorted(selection.picks["review_id"]) == sorted(pool["review_id"])
    assert selection.quotas == {"[null]": 1, "a": 5, "b": 1}
    assert selection.shortfall == 23


def test_no_keyword_found_in_any_row_leaves_sentiment_out() -> None:
    """What it cannot give the others give; it is nobody's reason though its percentiles are those of equals."""
    rng = np.random.default_rng(0)
    values = {name: rng.random(100).tolist() for name in CRITERIA} | {"sentiment": [0.0] * 100}
    selection = select_picks(make_pool(["a"] * 100, values), 20, 0, SHARES)
    assert (len(selection.picks), selection.shortfall) == (20, 0)
    assert "sentiment" not in {reason for reasons in selection.picks["reasons"] for reason in reasons}
    alone = select_picks(make_pool(["a"] * 100, values), 20, 0, {"sentiment": 1})
    assert (len(alone.picks), alone.shortfall) == (0, 20)


@pytest.mark.parametrize(
    ("taken", "text", "is_near"),
    [
        ("배송이 정말 빨라요", "배송이정말 빨라요ㅋㅋ!!", True),
        ("배송이 정말 빨라요", "배송이   정말 빨라요😀", True),
        ("디자인도 색감도 마음에 들어서 자주 입어요", "디자인도 색감도 마음에 들어서 자주 입네요", True),
        ("배송이 정말 빨라요", "배송은 느리지만 예뻐요", False),
        ("😀", "😀😀😀", False),
        ("😀", "😀", True),
        ("😀", "👍", False),
        ("", " ", True),
        ("굿", "굿굿굿!", True),
        ("굿", "굳", False),
    ],
)
def test_near_duplicates(taken: str, text: str, is_near: bool) -> None:
    """Same letters, or character n-grams more alike than the limit; emoji are compared as they are."""
    texts = TakenTexts(0.8)
    assert not texts.holds_near_duplicate(text)
    texts.add("전혀 다른 이야기")
    texts.add(taken)
    assert texts.holds_near_duplicate(text) == is_near
