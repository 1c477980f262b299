"""The parts of a draw that need no table: keys, strata, and the first of each stratum."""

import unicodedata
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from reviewlens.spark.draw import draw_rows, key_bound
from reviewlens.spark.eligible import JUDGED_DDL, labelled_skeletons, skeleton_key, stratum_key, uncertainty
from reviewlens.text import skeleton

TEXTS = [
    "옷은 예쁘지만 배송은 늦어요!!",
    "좋아요ㅋㅋㅋㅋ ㅠㅠㅠ",
    "😀👍🏽 Good_GOOD  1000원",
    "É́ Ⅳ ½ ٣ 漢字 ﬁ",
    "a-b a_b\n\tAAAA\u3000b",
    "😀😀",
    "1000원 11번 ㅋㅋ",
    "",
]


def test_the_skeleton_in_sql_is_the_one_in_python(spark: SparkSession) -> None:
    """Of texts as NFC; of an NFD text it is one of the two that a labelled text leaves."""
    texts = [unicodedata.normalize("NFC", text) for text in TEXTS]
    rows = spark.createDataFrame([(text,) for text in texts], "text STRING")
    assert [row[0] for row in rows.select(skeleton_key(F.col("text"))).collect()] == [skeleton(text) for text in texts]
    nfd = spark.createDataFrame([(unicodedata.normalize("NFD", f"{texts[0]} ~ㅋㅋ"),)], "text STRING")
    labels = spark.createDataFrame([(f"{texts[0]}ㅋㅋㅋ",), ("😀",), (None,)], "text STRING")
    known = {row[0] for row in labelled_skeletons(labels).collect()}
    assert len(known) == 2
    assert skeleton(f"{texts[0]}ㅋ") in known
    assert {row[0] for row in nfd.select(skeleton_key(F.col("text"))).collect()} < known


def test_strata_never_collide(spark: SparkSession) -> None:
    """NULL is not "null", and no mall's name can imitate a mall and a category."""
    rows = [("a", "b"), ('a","b', None), (None, None), ("null", None), ("null", "null"), ("a,b", ""), ("a", ",b")]
    keys = spark.createDataFrame(rows, "mall_id STRING, category STRING").select(stratum_key(["mall_id", "category"]))
    assert len({row[0] for row in keys.collect()}) == len(rows)
    assert keys.first()[0] == '["a","b"]'  # type: ignore[index]


def test_uncertainty_is_that_of_the_keyword_nearest_to_its_threshold(spark: SparkSession) -> None:
    """1 at a threshold, 0 at the ends, half way in between."""
    rows = [({"가격": 0.0, "배송": 1.0},), ({"가격": 0.2, "배송": 0.5},), ({"가격": 0.4, "배송": 1.0},), ({},)]
    measured = spark.createDataFrame(rows, "probabilities MAP<STRING, DOUBLE>")
    found = [row[0] for row in measured.select(uncertainty({"가격": 0.4, "배송": 0.75})).collect()]
    assert found == [0, 6667, 10_000, 0]


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> DataFrame:
    """6,000 rows in a huge, a middle and a tiny stratum, some of them left out, and equal keys among them."""
    mall = F.when(F.col("id") < 5_000, "huge").when(F.col("id") < 5_997, "middle").otherwise("tiny")
    rows = spark.range(6_000).select(
        F.format_string("r%06d", "id").alias("review_id"),
        mall.alias("stratum"),
        F.when(F.col("id") % 50 == 0, F.lit(-(1 << 63)).cast("bigint")).otherwise(F.xxhash64("id")).alias("draw_key"),
        F.lit(None).cast("bigint").alias("uncertainty"),
        F.when(F.col("id") % 100 == 0, "labelled").alias("reason"),
    )
    return spark.createDataFrame(rows.collect(), JUDGED_DDL)


@pytest.mark.parametrize(("partitions", "width"), [(1, 6), (7, 6), (3, 0)])
def test_a_draw_is_the_first_of_each_stratum(
    spark: SparkSession, tmp_path: Path, judged: DataFrame, partitions: int, width: int
) -> None:
    """Whatever the partitioning, and where the first bounds are too low for what they must hold."""
    sizes = {"huge": 400, "middle": 90, "tiny": 3}
    eligible = judged.where("reason IS NULL")
    populations = {row.stratum: row["count"] for row in eligible.groupBy("stratum").count().collect()}
    drawn = draw_rows(spark, judged.repartition(partitions), populations, sizes, str(tmp_path / "drawn"), width)
    order = F.row_number().over(Window.partitionBy("stratum").orderBy("draw_key", "review_id"))
    expected = eligible.withColumn("draw_order", order).collect()
    assert {(row.stratum, row.draw_order, row.review_id) for row in drawn.collect()} == {
        (row.stratum, row.draw_order, row.review_id) for row in expected if row.draw_order <= sizes[row.stratum]
    }
    assert {(row.stratum, row.quota, row.population) for row in drawn.collect()} == {
        (stratum, size, populations[stratum]) for stratum, size in sizes.items()
    }


def test_bounds_are_64_bit_and_reach_from_few_keys_to_all() -> None:
    """A share of the keys in proportion; the whole stratum where the margin is as large as it."""
    assert key_bound(100, 99, 6) == (1 << 63) - 1
    assert key_bound(1 << 20, 100, 0) == -(1 << 63) + (100 << 44)
    assert -(1 << 63) < key_bound(10**18, 1, 6) < -(1 << 63) + 10**3
