"""A round's pool, from scored reviews in Delta tables."""

import io
import json
import shutil
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from pyspark.sql import Row, SparkSession, Window
from pyspark.sql import functions as F
from rich.console import Console

from reviewlens.bundle import Bundle
from reviewlens.config import Columns, SampleReviewsConfig
from reviewlens.errors import ConfigError, InputContractError, ReviewLensError
from reviewlens.pipelines import sample_reviews
from reviewlens.pipelines.sample_reviews import DrawReport
from reviewlens.spark.source import with_fingerprint
from reviewlens.spark.tables import TableRef, create_tables

ROOT = Path(__file__).parents[2]
OPTIONS = '{"dtype": "float32", "max_chars": 5000}'
COLUMNS = "review_id STRING, mall_id STRING, category STRING, text STRING"
# Malls of 60, 25, 2 and 2 reviews, one of a single review, and one whose name looks like two.
MALLS = ["가몰"] * 60 + ["나몰"] * 25 + [None] * 2 + ["null"] * 2 + ["혼자"] + ['가몰","상의']
ROWS = [
    (f"r{number:03}", mall, "상의" if number % 3 else "하의", f"리뷰 {chr(0xAC00 + number)}")
    for number, mall in enumerate(MALLS)
]

Run = Callable[..., DrawReport]


def write_scores(
    spark: SparkSession, lake: Path, rows: Sequence[tuple[object, ...]], bundle_id: str, options: str = OPTIONS
) -> None:
    """Score rows as a run of this bundle would have: only 나몰 is unsure of anything, and only in half of its rows."""
    reviews = with_fingerprint(spark.createDataFrame(rows, COLUMNS), bundle_id, options)
    unsure = (F.col("mall_id") == "나몰") & (F.substring("review_id", 2, 3).cast("int") % 2 == 0)
    scores = reviews.withColumns(
        {
            "probabilities": F.create_map(F.lit("배송"), F.when(unsure, 0.5).otherwise(0.0)).cast("map<string, float>"),
            "bundle_id": F.lit(bundle_id),
            "run_id": F.lit("run"),
        }
    )
    append(spark, lake, "review_scores", scores.drop("text"))


def append(spark: SparkSession, lake: Path, table: str, rows: object) -> None:
    rows.createOrReplaceTempView("new_rows")  # type: ignore[attr-defined]
    names = ", ".join(rows.columns)  # type: ignore[attr-defined]
    spark.sql(f"INSERT INTO delta.`{lake / table}` ({names}) SELECT {names} FROM new_rows")


def read(spark: SparkSession, lake: Path, table: str) -> list[Row]:
    return spark.read.format("delta").load(str(lake / table)).collect()


@pytest.fixture(scope="module")
def scored(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle) -> Path:
    """The source, its scores and a finished run in the ledger."""
    lake = tmp_path_factory.mktemp("scored") / "lake"
    spark.createDataFrame(ROWS, COLUMNS).write.format("delta").save(str(lake / "reviews"))
    tables = ("review_scores", "quarantine", "scoring_runs", "retraining_rounds", "retraining_pool")
    create_tables(spark, TableRef.parse(str(lake)), (*tables, "retraining_picks", "labels"))
    write_scores(spark, lake, ROWS, tiny_bundle.bundle_id)
    run = [("run", tiny_bundle.bundle_id, OPTIONS)]
    append(spark, lake, "scoring_runs", spark.createDataFrame(run, "run_id STRING, bundle_id STRING, options STRING"))
    return lake


@pytest.fixture
def lake(scored: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(scored, tmp_path / "lake"))


@pytest.fixture
def run(spark: SparkSession, lake: Path, tiny_bundle: Bundle) -> Run:
    """Run the job over the lake, with keys changed by the test; the screen is in `run.screen`."""

    def start(**keys: object) -> DrawReport:
        config = SampleReviewsConfig.model_validate(
            {
                "source": str(lake / "reviews"),
                "target": str(lake),
                "columns": Columns(category="category"),
                "round": "one",
                "rows": 30,
                "bundle": str(tiny_bundle.path),
                "taxonomy": ROOT / "conf" / "taxonomy.yaml",
                **keys,
            }
        )
        start.screen = io.StringIO()  # type: ignore[attr-defined]
        return sample_reviews.run(spark, config, Console(file=start.screen, width=200))  # type: ignore[attr-defined]

    return start


def check_pool(pool: Sequence[Row], expected: dict[str, Row]) -> None:
    """Each row is among the first of its mall by the salted hash, as it was, and says how probable it was."""
    quotas = Counter(row.stratum for row in pool)
    for row in pool:
        assert row.draw_order == expected[row.review_id].position <= row.quota == quotas[row.stratum]
        assert row.inclusion_probability == row.quota / row.population
        assert (row.text, row.mall_id) == (expected[row.review_id].text, expected[row.review_id].mall_id)
        assert (row.round, row.salt, row.source_version) == ("one", "소금", 0)
        assert row.probabilities.keys() == {"배송"}


def test_a_pool_is_the_first_of_each_mall_and_grows_at_its_own_versions(
    spark: SparkSession, lake: Path, run: Run, tiny_bundle: Bundle
) -> None:
    """Sizes follow the malls; rows and labels that came since do not count; the same again is nothing to do."""
    order = F.row_number().over(Window.partitionBy("mall_id").orderBy(F.xxhash64(F.lit("소금"), "review_id")))
    ordered = spark.createDataFrame(ROWS, COLUMNS).withColumn("position", order)
    expected = {row.review_id: row for row in ordered.collect()}
    assert run(salt="소금").status == "drawn"
    line = json.loads(run.screen.getvalue().splitlines()[-1])  # type: ignore[attr-defined]
    assert (line["status"], line["drawn"], line["strata_count"]) == ("drawn", 30, 6)
    first = {row.review_id: row for row in read(spark, lake, "retraining_pool")}
    check_pool(list(first.values()), expected)
    sizes = {'["가몰"]': 20, '["나몰"]': 8, "[null]": 1, '["null"]': 1}
    assert Counter(row.stratum for row in first.values()) == sizes

    late = [(f"s{number:03}", "다몰", "상의", f"늦은 {number}") for number in range(50)]
    spark.createDataFrame(late, COLUMNS).write.format("delta").mode("append").save(str(lake / "reviews"))
    write_scores(spark, lake, late, tiny_bundle.bundle_id)
    append(spark, lake, "labels", spark.createDataFrame([("x", "r001")], "annotation_id STRING, review_id STRING"))
    assert run(salt="소금").status == "unchanged"
    assert "Nothing to do: round one holds its 30" in run.screen.getvalue()  # type: ignore[attr-defined]
    assert run(salt="소금", rows=45).status == "grown"
    grown = {row.review_id: row for row in read(spark, lake, "retraining_pool")}
    check_pool(list(grown.values()), expected)
    assert len(grown) == 45
    assert all(grown[key].drawn_at == row.drawn_at for key, row in first.items())
    entries = sorted(read(spark, lake, "retraining_rounds"), key=lambda entry: entry.requested)
    assert [(entry.drawn, entry.shortfall, entry.population) for entry in entries] == [(30, 0, 91), (45, 0, 91)]
    assert not list((lake / "_staging").iterdir())


def test_what_may_not_be_drawn_is_counted_by_its_reason(
    spark: SparkSession, lake: Path, run: Run, tiny_bundle: Bundle
) -> None:
    """Each reason once and more; emoji alone are no near-duplicate of emoji."""
    texts = {
        "n1": "정말 좋아요ㅋㅋㅋ!!",
        "n2": unicodedata.normalize("NFD", "한글, 좋다"),
        "n3": "😀",
        "n4": "다른 글",
        "n5": "바뀌기 전",
    }
    new = [(key, "다몰", "상의", text) for key, text in texts.items()]
    kept = [row if row[0] != "n5" else (*row[:3], "바뀐 뒤") for row in new]
    spark.createDataFrame(kept, COLUMNS).write.format("delta").mode("append").save(str(lake / "reviews"))
    write_scores(spark, lake, [*new, ("gone", "다몰", "상의", "없는 글")], tiny_bundle.bundle_id)
    write_scores(spark, lake, [("other", "다몰", "상의", "다른 묶음")], "another")
    labels = [("r001", "앞의 글"), ("l1", "정말  좋아요ㅋ"), ("l2", "한글 좋다"), ("l3", "😍")]
    append(
        spark,
        lake,
        "labels",
        spark.createDataFrame(
            [(key, key, text) for key, text in labels], "annotation_id STRING, review_id STRING, text STRING"
        ),
    )
    quarantined = spark.createDataFrame([("r002", "too_long")], "review_id STRING, reason STRING")
    append(spark, lake, "quarantine", quarantined)
    picks = spark.createDataFrame([("older", "r003"), ("one", "r004")], "round STRING, review_id STRING")
    append(spark, lake, "retraining_picks", picks)
    report = run(rows=1_000)
    assert report.left_out == {
        "scored_by_another_bundle": 1,
        "text_changed_or_gone": 2,
        "quarantined": 1,
        "labelled": 1,
        "near_duplicate_of_labelled": 2,
        "picked_in_another_round": 1,
    }
    drawn = {row.review_id for row in read(spark, lake, "retraining_pool")}
    assert drawn == {row[0] for row in ROWS} - {"r001", "r002", "r003"} | {"n3", "n4"}
    assert (report.draw.drawn, report.draw.shortfall) == (90, 910)
    assert "910 of 1,000 rows could not be drawn" in run.screen.getvalue()  # type: ignore[attr-defined]


def test_a_run_killed_between_its_commits_is_mended_by_the_next(spark: SparkSession, lake: Path, run: Run) -> None:
    """The pool is written before the ledger: what it holds beyond the ledger goes, and the draw is made again."""

    def leave_rows(*ids: str) -> None:
        rows = spark.createDataFrame(
            [("one", review_id, 1) for review_id in ids], "round STRING, review_id STRING, quota BIGINT"
        )
        append(spark, lake, "retraining_pool", rows)

    leave_rows("r000", "r001", "gone")
    assert run().status == "drawn"
    drawn = {row.review_id: row for row in read(spark, lake, "retraining_pool")}
    assert len(drawn) == 30
    assert "gone" not in drawn
    leave_rows("from a larger draw")
    assert run().status == "repaired"
    assert {row.review_id: row for row in read(spark, lake, "retraining_pool")} == drawn
    assert [row.requested for row in read(spark, lake, "retraining_rounds")] == [30]


def test_strata_of_both_columns_and_sizes_by_the_spread(spark: SparkSession, lake: Path, run: Run) -> None:
    """Mall and category together, the same size each; and more where the model's certainty differs most."""
    run(strata=("mall_id", "category"), allocation="equal", rows=12, min_rows=1, max_rows=3)
    run(round="two", allocation="neyman", rows=20)
    pool = read(spark, lake, "retraining_pool")
    assert Counter(row.stratum for row in pool if row.round == "one") == {
        '["가몰","상의"]': 2,
        '["가몰","하의"]': 2,
        '["나몰","상의"]': 2,
        '["나몰","하의"]': 1,
        '[null,"상의"]': 1,
        '["null","상의"]': 1,
        '["null","하의"]': 1,
        '["혼자","상의"]': 1,
        '["가몰\\",\\"상의","하의"]': 1,
    }
    assert Counter(row.mall_id for row in pool if row.round == "two") == {"나몰": 20}


BAD: dict[str, tuple[dict[str, object], type[ReviewLensError], str]] = {
    "a salt of another round": ({"round": "two", "salt": "one"}, ConfigError, "Round one was drawn with salt 'one'"),
    "another salt": ({"salt": "x"}, ConfigError, "salt is x, and was one"),
    "other strata": ({"strata": ("category",), "rows": 60}, ConfigError, "strata is category, and was mall_id"),
    "another minimum": ({"min_rows": 1}, ConfigError, "min_rows is 1, and was 0"),
    "fewer rows": ({"rows": 29}, ConfigError, "rows is 29, and 30 were asked for already"),
    "another bundle": ({"bundle": "starter"}, ConfigError, "bundle is .*, and was"),
    "no rows of the bundle": (
        {"round": "two", "bundle": "starter"},
        InputContractError,
        r"has scored no reviews \(bundle \w+ scored 91\): run score_reviews with this bundle first",
    ),
    "a target without scores": ({"target": "./nowhere"}, InputContractError, "cannot be read as a Delta table"),
}


def test_bad_requests_are_refused_and_change_nothing(
    spark: SparkSession, lake: Path, run: Run, tiny_bundle: Bundle
) -> None:
    """Each with what was wrong and what to do."""
    drawn = [("one", "one", "mall_id", "proportional", 30, 0, str(lake / "reviews"), tiny_bundle.bundle_id)]
    names = "round STRING, salt STRING, strata STRING, allocation STRING, requested BIGINT, min_rows BIGINT"
    append(spark, lake, "retraining_rounds", spark.createDataFrame(drawn, f"{names}, source STRING, bundle_id STRING"))
    for keys, kind, message in BAD.values():
        with pytest.raises(kind, match=message):
            run(**keys)
    assert read(spark, lake, "retraining_pool") == []
    assert len(read(spark, lake, "retraining_rounds")) == 1


def test_nothing_left_to_draw_and_ids_that_repeat_are_errors_of_the_input(
    spark: SparkSession, lake: Path, run: Run
) -> None:
    """The message counts why; a source with an id twice is named as such, and a bundle that never finished a run."""
    spark.createDataFrame(ROWS, COLUMNS).write.format("delta").mode("append").save(str(lake / "reviews"))
    with pytest.raises(InputContractError, match="the source repeats a review_id"):
        run()
    labels = spark.createDataFrame([(row[0], row[0]) for row in ROWS], "annotation_id STRING, review_id STRING")
    append(spark, lake, "labels", labels)
    with pytest.raises(InputContractError, match=r"None of the 91 reviews .* can be drawn: .* labelled. Score new"):
        run()
    spark.sql(f"DELETE FROM delta.`{lake}/scoring_runs`")
    with pytest.raises(InputContractError, match="has finished no run"):
        run()
    assert read(spark, lake, "retraining_pool") == read(spark, lake, "retraining_rounds") == []
