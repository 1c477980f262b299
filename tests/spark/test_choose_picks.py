"""A round's picks, from its pool in Delta tables."""

import io
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import Row, SparkSession
from rich.console import Console

from reviewlens import Scorer
from reviewlens.bundle import Bundle
from reviewlens.config import ChoosePicksConfig
from reviewlens.errors import BusyError, ConfigError, InputContractError, ReviewLensError
from reviewlens.pipelines import choose_picks
from reviewlens.sampling.outliers import Clusters, assign_clusters
from reviewlens.sampling.summary import ChoiceReport
from reviewlens.spark.clusters import keep_clusters
from reviewlens.spark.picks import Origin, find_pool, write_picks
from reviewlens.spark.tables import TableRef, create_tables

ROOT = Path(__file__).parents[2]
TABLES = ("retraining_rounds", "retraining_pool", "retraining_picks", "cluster_centroids", "labels")
# A large mall, a small one, one of no name, and one with a single review.
MALLS: list[str | None] = ["가몰"] * 40 + ["나몰"] * 12 + [None] * 3 + ["혼자"]
WORDS = (
    *("배송", "늦어요", "예쁘고", "디자인이", "사이즈가", "작아요", "색감도"),
    *("좋아요", "두꺼워서", "따뜻해요", "쫀쫀한", "원단"),
)


def make_text(row: int) -> str:
    rng = np.random.default_rng(row)
    return "😀👍🏽" if row == 7 else " ".join(rng.choice(WORDS, 6))


def append(spark: SparkSession, lake: Path, table: str, rows: Any) -> None:
    rows.createOrReplaceTempView("new_rows")
    names = ", ".join(rows.columns)
    spark.sql(f"INSERT INTO delta.`{lake / table}` ({names}) SELECT {names} FROM new_rows")


def read(spark: SparkSession, lake: Path, table: str) -> list[Row]:
    return spark.read.format("delta").load(str(lake / table)).collect()


def write_pool(spark: SparkSession, lake: Path, bundle: Bundle, round_name: str, malls: Sequence[str | None]) -> None:
    """The pool as a draw of all of these reviews from ten times as many leaves it, with their true scores."""
    scores = Scorer.load(bundle.path).score([make_text(row) for row in range(len(malls))])
    rows = []
    for row, (mall, score) in enumerate(zip(malls, scores, strict=True)):
        found = [
            (each.keyword, each.probability, each.sentiment, each.sentiment_probability) for each in score.keywords
        ]
        rows.append(
            (
                f"r{row:03}",
                mall,
                make_text(row),
                malls[: row + 1].count(mall),
                malls.count(mall),
                score.probabilities,
                found,
            )
        )
    found_ddl = "ARRAY<STRUCT<keyword: STRING, probability: FLOAT, sentiment: STRING, sentiment_probability: FLOAT>>"
    ddl = f"""review_id STRING, mall_id STRING, text STRING, draw_order BIGINT, quota BIGINT,
        probabilities MAP<STRING, FLOAT>, found {found_ddl}"""
    keywords = """transform(found, each -> named_struct('keyword', each.keyword, 'probability', each.probability,
        'sentiment', each.sentiment, 'sentiment_value', 0, 'sentiment_probability', each.sentiment_probability,
        'highlight', CAST(NULL AS STRUCT<word: STRING, start: INT, end: INT, probability_without: FLOAT>)))"""
    pool = spark.createDataFrame(rows, ddl).selectExpr(
        f"'{round_name}' round", "review_id", "mall_id", "text", "to_json(array(mall_id)) stratum",
        "quota * 10 population", "draw_order", "probabilities", f"{keywords} keywords",
        f"'{bundle.bundle_id}' bundle_id", "'salt' salt", "3L source_version", "5L scores_version", "quota",
        "0.1D inclusion_probability",
    )  # fmt: skip
    append(spark, lake, "retraining_pool", pool)
    ddl = "round STRING, requested BIGINT, drawn BIGINT, population BIGINT"
    draw = spark.createDataFrame([(round_name, len(malls), len(malls), 10 * len(malls))], ddl)
    append(spark, lake, "retraining_rounds", draw)


@pytest.fixture(scope="module")
def drawn(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle) -> Path:
    """A lake with a round's pool, and another's whose draw was cut off; no test writes to it."""
    lake = tmp_path_factory.mktemp("drawn") / "lake"
    create_tables(spark, TableRef.parse(str(lake)), TABLES)
    write_pool(spark, lake, tiny_bundle, "one", MALLS)
    half = spark.createDataFrame([("half", "r1", "b")], "round STRING, review_id STRING, bundle_id STRING")
    append(spark, lake, "retraining_pool", half)
    return lake


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What rarity is measured by; it never had the last words of `WORDS`."""
    path = tmp_path_factory.mktemp("corpus") / "reviews.jsonl"
    rows = [
        {"id": str(row), "text": f"{one} {other}", "labels": []}
        for row, one in enumerate(WORDS[:8])
        for other in WORDS[:8]
    ]
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def start(spark: SparkSession, lake: Path, scored_by: Bundle, corpus: Path, **keys: object) -> tuple[ChoiceReport, str]:
    """Run the job over the lake, with keys changed by the test; its report and its screen."""
    config = ChoosePicksConfig.model_validate(
        {
            "target": str(lake),
            "round": "one",
            "rows": 20,
            "clusters": 2,
            "bundle": str(scored_by.path),
            "rarity_corpus": corpus,
            "taxonomy": ROOT / "conf" / "taxonomy.yaml",
            **keys,
        }
    )
    screen = io.StringIO()
    return choose_picks.run(spark, config, Console(file=screen, width=200)), screen.getvalue()


@pytest.fixture(scope="module")
def chosen(
    spark: SparkSession, drawn: Path, tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle, corpus: Path
) -> Path:
    """A copy of the lake after a first run, its screen and its figure beside it."""
    lake = Path(shutil.copytree(drawn, tmp_path_factory.mktemp("chosen") / "lake"))
    _, screen = start(spark, lake, tiny_bundle, corpus, figure=lake.parent / "round.png")
    (lake.parent / "screen.txt").write_text(screen, encoding="utf-8")
    return lake


def test_picks_say_why_from_how_many_and_by_what(spark: SparkSession, chosen: Path, tiny_bundle: Bundle) -> None:
    """Quotas follow the malls, random picks are the first in draw order, and every row keeps what it was drawn with."""
    picks = read(spark, chosen, "retraining_picks")
    pool = {row.review_id: row for row in read(spark, chosen, "retraining_pool")}
    assert len(picks) == 20
    quotas = {"가몰": 14, "나몰": 4, None: 1, "혼자": 1}
    assert {row.mall_id: row.quota for row in picks} == quotas
    random = [row for row in picks if row.is_random]
    assert {(row.mall_id, row.draw_order) for row in random} == {
        ("가몰", 1),
        ("가몰", 2),
        ("가몰", 3),
        ("가몰", 4),
        ("나몰", 1),
    }
    assert {(row.mall_id, row.pick_probability) for row in random} == {("가몰", 4 / 400), ("나몰", 1 / 120)}
    assert {row.pick_probability for row in picks if not row.is_random} == {None}
    reasons = Counter(row.reason for row in picks)
    assert (reasons["random"], reasons.total()) == (5, 20)
    for row in picks:
        drawn = pool[row.review_id].asDict()
        kept = drawn.keys() - {"quota", "drawn_at"}
        assert {name: row[name] for name in kept} == {name: drawn[name] for name in kept}
        assert row.pool_rows == MALLS.count(row.mall_id)
        assert row.reasons[0] == row.reason
        assert row.criteria.keys() == {"keyword", "sentiment", "rarity", "outlier"}
        assert (row.source_version, row.scores_version, row.bundle_id) == (3, 5, tiny_bundle.bundle_id)
        nearest = max(row.probabilities, key=lambda name: 1 - 2 * abs(row.probabilities[name] - 0.5))
        assert row.criteria["keyword"].detail == nearest
        assert row.criteria["keyword"].value == pytest.approx(1 - 2 * abs(row.probabilities[nearest] - 0.5), abs=1e-6)
        unsure = max((1 - found.sentiment_probability for found in row.keywords), default=0)
        assert row.criteria["sentiment"].value == pytest.approx(unsure, abs=1e-6)


def test_outliers_are_measured_where_vectors_are_made(spark: SparkSession, chosen: Path, tiny_bundle: Bundle) -> None:
    """By the kept centroids of this bundle: as the scorer's own vectors give it."""
    rows = sorted(read(spark, chosen, "cluster_centroids"), key=lambda row: row.cluster)
    assert {row.bundle_id for row in rows} == {tiny_bundle.bundle_id}
    assert sum(row.rows for row in rows) == len(MALLS)
    centroids = np.array([row.centroid for row in rows], np.float32)
    clusters = Clusters(centroids, np.array([1, 1]), np.array([row.median_distance for row in rows]))
    picks = read(spark, chosen, "retraining_picks")
    vectors = Scorer.load(tiny_bundle.path).keyword_vectors([row.text for row in picks])
    numbers, values = assign_clusters(vectors, clusters)
    assert [row.cluster for row in picks] == numbers.tolist()
    assert [row.criteria["outlier"].detail for row in picks] == [str(number) for number in numbers]
    np.testing.assert_allclose([row.criteria["outlier"].value for row in picks], values, rtol=1e-3)


def test_a_run_ends_with_tables_a_line_and_a_figure(chosen: Path) -> None:
    """Figures for a person and for a machine, and no review's text."""
    screen = (chosen.parent / "screen.txt").read_text(encoding="utf-8")
    line = json.loads(screen.splitlines()[-1])
    assert (line["event"], line["status"], line["picks"], line["shortfall"]) == ("choose_picks", "chosen", 20, 0)
    assert (line["reasons"]["random"], line["strata"], line["pool_rows"]) == (5, 4, 56)
    assert (line["labels_version"], line["rarity_source"][:14]) == (0, "reviews.jsonl ")
    assert line["coverage"] == 520 / 560
    assert "with 92.9% of the population" in screen
    assert "picks by reason" in screen
    assert "혼자" in screen
    assert "쫀쫀한" not in screen
    assert (chosen.parent / "round.png").read_bytes().startswith(b"\x89PNG")


def test_chosen_picks_stay(spark: SparkSession, chosen: Path, tiny_bundle: Bundle, corpus: Path) -> None:
    """The same request finds nothing to do, whoever is champion now; other settings are refused."""
    before = sorted(read(spark, chosen, "retraining_picks"))
    report, screen = start(spark, chosen, tiny_bundle, corpus)
    assert (report.status, report.picks, report.bundle_id) == ("unchanged", 20, tiny_bundle.bundle_id)
    assert "Nothing to do: the picks of round one were chosen before." in screen
    assert start(spark, chosen, tiny_bundle, corpus, bundle="champion")[0].status == "unchanged"
    with pytest.raises(ConfigError, match=r"rows is 21, and was 20; random_share is 0\.5, and was 0\.25"):
        start(spark, chosen, tiny_bundle, corpus, rows=21, random_share=0.5)
    with pytest.raises(ConfigError, match=r"scored the pool of round one, and starter is bundle"):
        start(spark, chosen, tiny_bundle, corpus, bundle="starter")
    assert sorted(read(spark, chosen, "retraining_picks")) == before


def test_the_next_round_is_measured_by_the_same_clusters(
    spark: SparkSession, chosen: Path, tmp_path: Path, tiny_bundle: Bundle, corpus: Path
) -> None:
    """A pool smaller than the picks, from few malls: all its rows that are no near-duplicates, and the shortfall."""
    lake = Path(shutil.copytree(chosen, tmp_path / "lake"))
    before = read(spark, lake, "cluster_centroids")
    write_pool(spark, lake, tiny_bundle, "two", [None, "가몰", "가몰"])
    report, screen = start(spark, lake, tiny_bundle, corpus, round="two", clusters=9)
    assert (report.picks, report.shortfall, report.pool_rows) == (3, 17, 3)
    assert "17 of 20 picks are missing" in screen
    assert read(spark, lake, "cluster_centroids") == before
    assert len(read(spark, lake, "retraining_picks")) == 23


@pytest.mark.parametrize(
    ("keys", "kind", "message"),
    [
        ({"target": "./nowhere/lake"}, InputContractError, "No pool of round one .* sample_reviews --round one"),
        ({"round": "other"}, InputContractError, "No pool of round other .* sample_reviews --round other"),
        ({"round": "half"}, InputContractError, "round half .* is not whole"),
        ({"bundle": "starter"}, ConfigError, "scored the pool of round one, and starter is bundle .*--bundle"),
        ({"figure": "round.svg"}, ConfigError, r"must end in \.png"),
        ({"figure": "./nowhere/round.png"}, ConfigError, "its folder must be there"),
    ],
)
def test_what_cannot_be_chosen_from_is_told_before_anything_is_written(
    spark: SparkSession,
    drawn: Path,
    tiny_bundle: Bundle,
    corpus: Path,
    keys: dict[str, object],
    kind: type[ReviewLensError],
    message: str,
) -> None:
    """No pool, a draw that was cut off, another bundle, no place for the figure."""
    with pytest.raises(kind, match=message):
        start(spark, drawn, tiny_bundle, corpus, **keys)
    assert not read(spark, drawn, "retraining_picks")


def test_of_two_runs_at_once_one_chooses(spark: SparkSession, chosen: Path, tiny_bundle: Bundle) -> None:
    """The other, which saw no picks, writes none, and its clusters do not replace those that are kept."""
    target = TableRef.parse(str(chosen))
    pool = find_pool(spark, target, "one")
    before = sorted(read(spark, chosen, "retraining_picks"))
    criteria = {
        f"{name}_{kind}": 0.5
        for name in ("keyword", "sentiment", "rarity", "outlier")
        for kind in ("value", "percentile")
    }
    details = {f"{name}_detail": None for name in ("keyword", "sentiment", "rarity", "outlier")}
    pick = {
        "review_id": "r055",
        "pool_rows": 1,
        "quota": 1,
        "is_random": True,
        "pick_probability": 0.1,
        "reason": "random",
    }
    picks = pd.DataFrame([{**pick, "reasons": ["random"], "cluster": 0, **criteria, **details}])
    origin = Origin("{}", pool.version, None, "nothing", datetime(2026, 11, 1, tzinfo=UTC))
    with pytest.raises(BusyError, match="Another run chose the picks of round one"):
        write_picks(spark, target.child("retraining_picks"), pool, picks, "one", origin)
    assert sorted(read(spark, chosen, "retraining_picks")) == before
    kept = read(spark, chosen, "cluster_centroids")
    clusters = Clusters(np.zeros((1, 32), np.float32), np.array([1]), np.array([1.0]))
    keep_clusters(spark, target.child("cluster_centroids"), tiny_bundle.bundle_id, clusters, origin.chosen_at)
    assert read(spark, chosen, "cluster_centroids") == kept
