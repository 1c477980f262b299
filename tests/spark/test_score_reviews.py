"""The nightly run, from a Delta table to Delta tables."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import Row, SparkSession
from rich.console import Console

from reviewlens import Scorer
from reviewlens.bundle import Bundle
from reviewlens.config import Columns, ScoreReviewsConfig
from reviewlens.errors import InputContractError, QuarantineLimitError
from reviewlens.pipelines import score_reviews
from reviewlens.spark.tables import TableRef, create_tables

ROOT = Path(__file__).parents[2]
DDL = "id BIGINT, shop STRING, body STRING, written DATE"
ROWS = [
    (1, "가몰", "옷은 예쁘지만 배송은 늦어요", "2026-11-01"),
    (2, "가몰", None, "2026-11-01"),
    (3, None, "배송 늦어요 ㅋㅋㅋ", "2026-11-02"),
    (4, "나몰", "\u3000 ", "2026-11-02"),
    (5, "나몰", "예쁘 " * 40, "2026-11-02"),
    (6, "나몰", "긴 " * 100, "2026-11-03"),
    (7, "x'; DROP TABLE", "😀👍🏽 예쁘", "2026-11-03"),
]

Run = Callable[..., score_reviews.RunReport]


@pytest.fixture
def run(spark: SparkSession, tmp_path: Path, tiny_bundle: Bundle) -> Run:
    """Run the job over `tmp_path`/reviews, with keys changed by the test; the screen is in `run.screen`."""

    def start(**keys: object) -> score_reviews.RunReport:
        config = ScoreReviewsConfig.model_validate(
            {
                "source": str(tmp_path / "reviews"),
                "target": str(tmp_path / "lake"),
                "dtype": "float32",
                "columns": Columns(review_id="id", mall_id="shop", text="body", created_at="written"),
                "bundle": str(tiny_bundle.path),
                "taxonomy": ROOT / "conf" / "taxonomy.yaml",
                "sql_dir": ROOT / "conf" / "sql",
                "max_chars": 120,
                "chunk_rows": 3,
                "task_rows": 2,
                "max_quarantine_share": 1.0,
                **keys,
            }
        )
        start.screen = io.StringIO()  # type: ignore[attr-defined]
        return score_reviews.run(spark, config, Console(file=start.screen, width=200))  # type: ignore[attr-defined]

    return start


def write_reviews(spark: SparkSession, tmp_path: Path, rows: Sequence[tuple[object, ...]]) -> None:
    reviews = spark.createDataFrame(rows, "id BIGINT, shop STRING, body STRING, written STRING")
    reviews.selectExpr("id", "shop", "body", "CAST(written AS DATE) written").write.format("delta").mode(
        "overwrite"
    ).save(str(tmp_path / "reviews"))


def read(spark: SparkSession, tmp_path: Path, table: str) -> list[Row]:
    return spark.read.format("delta").load(str(tmp_path / "lake" / table)).collect()


def test_a_run_scores_quarantines_and_accounts_for_every_row(
    spark: SparkSession, tmp_path: Path, run: Run, tiny_bundle: Bundle
) -> None:
    """Results are those of the scorer, refusals have reasons, and the ledger adds up."""
    write_reviews(spark, tmp_path, ROWS)
    report = run()
    scores = {row.review_id: row for row in read(spark, tmp_path, "review_scores")}
    scorer = Scorer.load(tiny_bundle.path)
    texts = {str(row[0]): str(row[2]) for row in ROWS if row[0] in (1, 3, 5, 7)}
    assert scores.keys() == texts.keys()
    for review_id, text in texts.items():
        [expected] = scorer.score([text])
        assert scores[review_id].probabilities == pytest.approx(expected.probabilities, abs=1e-5)
        for found, keyword in zip(scores[review_id].keywords, expected.keywords, strict=True):
            assert (found.keyword, found.sentiment) == (keyword.keyword, keyword.sentiment)
            if found.highlight is not None:
                assert text[found.highlight.start : found.highlight.end] == found.highlight.word
    assert (scores["3"].mall_id, scores["7"].mall_id) == (None, "x'; DROP TABLE")

    quarantine = {row.review_id: row for row in read(spark, tmp_path, "quarantine")}
    assert {key: row.reason for key, row in quarantine.items()} == {
        "2": "null_text",
        "4": "empty_text",
        "6": "too_long",
    }
    assert quarantine["6"].raw["text"] == ("긴 " * 100)[:120]

    [line] = read(spark, tmp_path, "scoring_runs")
    assert (line.input, line.scored, line.quarantined, line.unchanged, line.status) == (7, 4, 3, 0, "done")
    chunks = read(spark, tmp_path, "scoring_chunks")
    assert len(chunks) == line.chunks > 1
    assert sum(chunk.scored for chunk in chunks) == 4
    assert sum(chunk.quarantined for chunk in chunks) == 3
    assert json.loads(run.screen.getvalue().splitlines()[-1])["run_id"] == report.run_id  # type: ignore[attr-defined]
    assert not list((tmp_path / "lake" / "_staging").iterdir())


def test_a_second_run_scores_nothing_and_says_so(spark: SparkSession, tmp_path: Path, run: Run) -> None:
    """Refused rows are done too; no table gets a version but the ledger."""
    write_reviews(spark, tmp_path, ROWS)
    run()
    before = DeltaTable(tmp_path / "lake" / "review_scores").version()
    report = run()
    assert (report.scored, report.quarantined, report.unchanged) == (0, 0, 7)
    assert DeltaTable(tmp_path / "lake" / "review_scores").version() == before
    assert "Nothing to score: all 7 reviews are unchanged." in run.screen.getvalue()  # type: ignore[attr-defined]


def test_edited_reviews_are_replaced_wherever_they_were(spark: SparkSession, tmp_path: Path, run: Run) -> None:
    """A scored one that is now refused, a refused one that can be scored, an edited one: one place each, no doubles."""
    write_reviews(spark, tmp_path, ROWS)
    run()
    first = {row.review_id: row for row in read(spark, tmp_path, "review_scores")}
    edits = {1: None, 2: "이제 예쁘", 3: "배송 늦어요 진짜"}
    write_reviews(spark, tmp_path, [(row[0], row[1], edits.get(int(str(row[0])), row[2]), row[3]) for row in ROWS])
    report = run()
    assert (report.scored, report.quarantined, report.unchanged) == (2, 1, 4)
    scores = {row.review_id: row for row in read(spark, tmp_path, "review_scores")}
    assert len(read(spark, tmp_path, "review_scores")) == len(scores)
    assert scores.keys() == {"2", "3", "5", "7"}
    assert scores["5"] == first["5"]
    assert scores["3"].fingerprint != first["3"].fingerprint
    refused = [row.review_id for row in read(spark, tmp_path, "quarantine")]
    assert sorted(refused) == ["1", "4", "6"]


def test_new_rows_are_appended_and_old_ones_left(spark: SparkSession, tmp_path: Path, run: Run) -> None:
    """Only the new review is scored."""
    write_reviews(spark, tmp_path, ROWS[:1])
    run()
    write_reviews(spark, tmp_path, [*ROWS[:1], (9, "다몰", "늦어요", "2026-11-04")])
    report = run()
    assert (report.input, report.scored, report.unchanged) == (2, 1, 1)
    runs = {row.review_id: row.run_id for row in read(spark, tmp_path, "review_scores")}
    assert runs["9"] == report.run_id != runs["1"]


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(spark: SparkSession, tmp_path: Path, run: Run) -> None:
    """Rows and chunks, and no table."""
    write_reviews(spark, tmp_path, ROWS)
    report = run(dry_run=True)
    assert "7 to score, 0 unchanged. 3 chunks" in run.screen.getvalue()  # type: ignore[attr-defined]
    assert (report.status, report.chunks) == ("dry run", 3)
    assert not (tmp_path / "lake").exists()


def test_too_much_quarantined_is_an_error_after_the_rest_is_committed(
    spark: SparkSession, tmp_path: Path, run: Run
) -> None:
    """What could be scored stays, and the error says how much could not."""
    write_reviews(spark, tmp_path, ROWS)
    with pytest.raises(QuarantineLimitError, match="3 of 7 new reviews"):
        run(max_quarantine_share=0.2)
    assert len(read(spark, tmp_path, "review_scores")) == 4


def test_an_empty_source_is_nothing_to_do(spark: SparkSession, tmp_path: Path, run: Run) -> None:
    """Zero rows in, an empty result, and a line in the ledger."""
    write_reviews(spark, tmp_path, [])
    report = run()
    assert (report.input, report.scored, report.chunks) == (0, 0, 0)


@pytest.mark.parametrize(
    ("source", "message"),
    [("nowhere", "cannot be read as a Delta table"), ("plain", "cannot be read as a Delta table")],
)
def test_a_source_that_is_missing_or_not_delta_is_refused(
    spark: SparkSession, tmp_path: Path, run: Run, source: str, message: str
) -> None:
    """Before any table is made."""
    spark.range(3).write.parquet(str(tmp_path / "plain"))
    with pytest.raises(InputContractError, match=message):
        run(source=str(tmp_path / source))
    assert not (tmp_path / "lake").exists()


def test_a_target_of_another_schema_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    """Never mangled: the message lists what differs."""
    path = tmp_path / "lake" / "review_scores"
    spark.sql(f"CREATE TABLE delta.`{path}` (review_id BIGINT, old STRING) USING DELTA")
    with pytest.raises(InputContractError, match=r"old is not known; .*review_id is bigint, not string"):
        create_tables(spark, TableRef.parse(str(tmp_path / "lake")))


def test_source_and_target_by_catalog_name(spark: SparkSession, tmp_path: Path, run: Run) -> None:
    """Catalog tables in, catalog tables and lasting views out."""
    write_reviews(spark, tmp_path, ROWS)
    spark.sql(f"CREATE SCHEMA shop LOCATION '{tmp_path}/shop'")
    try:
        spark.sql(f"CREATE TABLE shop.reviews USING DELTA AS SELECT * FROM delta.`{tmp_path}/reviews`").collect()
        run(source="shop.reviews", target="shop")
        assert spark.table("shop.review_scores").count() == 4
        assert spark.table("shop.review_keywords").count() == sum(
            len(row.keywords) for row in spark.table("shop.review_scores").collect()
        )
    finally:
        spark.sql("DROP SCHEMA shop CASCADE")


def test_delta_rs_reads_what_spark_wrote(spark: SparkSession, tmp_path: Path, run: Run) -> None:
    """An independent reader sees the same values."""
    write_reviews(spark, tmp_path, ROWS)
    run()
    table = DeltaTable(tmp_path / "lake" / "review_scores").to_pyarrow_table().to_pylist()
    ours = {row.review_id: row for row in read(spark, tmp_path, "review_scores")}
    assert {row["review_id"] for row in table} == ours.keys()
    for row in table:
        expected = ours[row["review_id"]]
        assert dict(row["probabilities"]) == expected.probabilities
        assert row["keywords"] == [found.asDict(recursive=True) for found in expected.keywords]
        assert (row["fingerprint"], row["truncated"]) == (expected.fingerprint, expected.truncated)
