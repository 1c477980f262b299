import datetime as dt
import json
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from rich.console import Console

from reviewlens.errors import ConfigError, InputContractError
from reviewlens.pipelines import load_reviews
from reviewlens.spark.files import match_columns
from reviewlens.spark.schemas import REVIEWS_DDL
from reviewlens.spark.tables import TableRef, verify_schema

TODAY = dt.date(2025, 6, 1)
KOREAN_CSV = (
    "리뷰번호,쇼핑몰,리뷰 내용,평점,작성일\r\n"
    '007,가람몰,"첫 줄, 쉼표\n둘째 줄 ""진짜"" 예뻐요",5,2025.5.3.\r\n'
    "8,나래몰,뷁스러운 배송ㅋㅋ,별로,2025-05-04 13:04\r\n"
    ",,,,\r\n"
    "9,,,3,어제\r\n"
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_a_csv_as_excel_writes_it(spark: SparkSession, tmp_path: Path, encoding: str) -> None:
    """Quoted texts keep their line ends, ids their zeros; what cannot be read is NULL, and counted."""
    file = tmp_path / "리뷰 (1).csv"
    file.write_bytes(KOREAN_CSV.encode(encoding))
    figures = _load(spark, file, tmp_path)
    assert _read(spark, tmp_path) == [
        ("007", "가람몰", '첫 줄, 쉼표\n둘째 줄 "진짜" 예뻐요', 5.0, "2025-05-03 00:00:00"),
        ("8", "나래몰", "뷁스러운 배송ㅋㅋ", None, "2025-05-04 13:04:00"),
        ("9", "-", None, 3.0, None),
    ]
    verify_schema(spark, TableRef.parse(f"{tmp_path}/reviews"), REVIEWS_DDL)
    assert (figures["reviews"], figures["malls"], figures["unread_ratings"], figures["unread_dates"]) == (3, 3, 1, 1)


def test_loading_again_replaces_the_table(spark: SparkSession, tmp_path: Path) -> None:
    """Nothing doubles; the rows kept by a limit are the same ones whatever the order of the file."""
    names = ["id", "content", "star", "labels"]
    lines = [json.dumps(dict(zip(names, [i, f"👍🏻 {i}", i / 2, [{"a": 1}]], strict=True))) for i in range(20)]
    file = tmp_path / "reviews.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8-sig")
    _load(spark, file, tmp_path, rows=5)
    first = _read(spark, tmp_path)
    file.write_text("\n".join(reversed(lines)), encoding="utf-8")
    _load(spark, file, tmp_path, rows=5)
    assert _read(spark, tmp_path) == first
    assert {row[0]: row[2:4] for row in first} == {row[0]: (f"👍🏻 {row[0]}", int(row[0]) / 2) for row in first}
    assert len(first) == 5


def test_reviews_without_ids_get_one_from_their_content(spark: SparkSession, tmp_path: Path) -> None:
    """Equal rows stay two reviews; an id depends on its row alone. An empty name says that there is no such column."""
    rows = [("a1", "좋아요", 5), ("a2", "좋아요", 5), ("a3", "별로예요", 1)]
    frame = spark.createDataFrame(rows, "id STRING, review STRING, rating TINYINT")
    frame.coalesce(1).write.parquet(str(tmp_path / "all"))
    frame.where("rating = 1").write.parquet(str(tmp_path / "one"))
    _load(spark, tmp_path / "all", tmp_path, {"review_id": ""})
    ids = {row[0]: row[2] for row in _read(spark, tmp_path)}
    _load(spark, tmp_path / "one", tmp_path, {"review_id": ""})
    assert _read(spark, tmp_path)[0][0] in ids
    liked = sorted(name for name, text in ids.items() if text == "좋아요")
    assert (len(ids), liked[1]) == (3, f"{liked[0]}-2")


def test_faults_of_the_columns_come_together() -> None:
    """The message names what is missing or may be several, the file's columns, and the option; own names win."""
    with pytest.raises(InputContractError) as caught:
        match_columns(Path("리뷰.csv"), ["id", "리뷰", "내용", "date", "작성일"], {"mall_id": "shop"})
    message = str(caught.value)
    assert "text may be 리뷰 or 내용: say which with --columns.text NAME" in message
    assert "created_at may be date or 작성일" in message
    assert "no column shop for mall_id" in message
    assert "columns: id, 리뷰, 내용, date, 작성일" in message
    with pytest.raises(InputContractError, match="review's text"):
        match_columns(Path("a.csv"), ["id", "a.b"], {})
    names = ["Review ID", "id", unicodedata.normalize("NFD", "리뷰내용"), "a.b", "Rating", "score"]
    matched = match_columns(Path("a.csv"), names, {"mall_id": "a.b", "rating": ""})
    assert matched == dict.fromkeys(["category", "product", "rating", "created_at"]) | {
        "review_id": "Review ID",
        "mall_id": "a.b",
        "text": names[2],
    }
    assert match_columns(Path("a.csv"), ["text", "brand"], {"product": "brand"})["mall_id"] is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"id,text,unused\n1,\xec\x98\xb7,a,more\n2,ok,b\n", "1 lines cannot be parsed"),
        ("a.csv", b"id,text\n1,a\n1,b\n", "repeat a review_id"),
        ("a.csv", b"id,text\n1,\xff\xfe\n", "neither UTF-8 nor CP949"),
        ("a.csv", b"", "columns: none"),
        ("a.jsonl", b'{"id": 1, "text": "\xec\x98\xb7"}\n{"id": 2,\n', "1 lines cannot be parsed"),
        ("a.json", b'[\n{\n"id": 1}\n]\n', "no JSON lines"),
        ("a.parquet", b"id,text", "cannot be read as parquet"),
        ("a.xlsx", b"", "ends in none of"),
        ("a[1].csv", b"id,text\n1,a\n", "rename the file"),
    ],
)
def test_a_file_that_cannot_be_read_leaves_the_table_alone(
    spark: SparkSession, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    """The error says what to do and repeats no review."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputContractError, match=message) as caught:
        _load(spark, tmp_path / name, tmp_path)
    assert "옷" not in str(caught.value)
    assert not (tmp_path / "reviews").exists()


def test_only_a_table_of_reviews_is_replaced(spark: SparkSession, tmp_path: Path) -> None:
    """A folder with something else in it, or another table, is refused before the file is read."""
    (tmp_path / "reviews").mkdir()
    with pytest.raises(ConfigError, match="is no Delta table"):
        _load(spark, tmp_path / "no.csv", tmp_path)
    (tmp_path / "reviews").rmdir()
    spark.createDataFrame([("a",)], "review_id STRING").write.format("delta").save(f"{tmp_path}/reviews")
    with pytest.raises(InputContractError, match="text is missing"):
        _load(spark, tmp_path / "no.csv", tmp_path)


def test_the_corpus_gets_made_up_malls_and_days(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Malls of uneven size, days in the four weeks before today, the same ones each time."""
    corpus = tmp_path / "corpus.jsonl"
    lines = [{"id": f"c{i}", "kind": "plain", "category": "바지", "rating": 4, "text": f"{i}"} for i in range(300)]
    corpus.write_text("\n".join(map(json.dumps, lines)))
    monkeypatch.setattr(load_reviews, "CORPUS", corpus)
    figures = _load(spark, None, tmp_path)
    rows = _read(spark, tmp_path)
    sizes = {mall: sum(row[1] == mall for row in rows) for mall in {row[1] for row in rows}}
    assert sizes["가람몰"] > sizes["다솜몰"] > sizes["마루몰"] > 0
    assert (min(row[4] for row in rows) >= "2025-05-04 00:00:00") & (max(row[4] for row in rows) < "2025-06-01")
    assert len({row[4][:10] for row in rows}) == 28
    assert figures["made_up"] == "mall_id, created_at"
    _load(spark, None, tmp_path)
    assert _read(spark, tmp_path) == rows


def _load(
    spark: SparkSession,
    file: Path | None,
    tmp_path: Path,
    columns: Mapping[str, str | None] | None = None,
    rows: int | None = None,
) -> dict[str, Any]:
    with (tmp_path / "screen.txt").open("w", encoding="utf-8") as screen:
        return load_reviews.run(
            spark, file, f"{tmp_path}/reviews", columns or {}, rows, TODAY, Console(file=screen, width=100)
        )


def _read(spark: SparkSession, tmp_path: Path) -> list[Row]:
    reviews = spark.read.format("delta").load(f"{tmp_path}/reviews")
    return (
        reviews.selectExpr("review_id", "mall_id", "text", "rating", "CAST(created_at AS STRING)")
        .orderBy("review_id")
        .collect()
    )
