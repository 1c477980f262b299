"""A user's file of reviews: read as it is, its columns recognised by their names, its values typed.

The formats: Parquet; CSV with a header, RFC 4180 quotes and texts over several lines; JSON lines. CSV and JSON are
UTF-8, with or without a byte order mark, or CP949 as Korean Excel writes it.
"""

import codecs
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

from reviewlens.errors import InputContractError
from reviewlens.spark.schemas import CATEGORY, CREATED_AT, MALL_ID, PRODUCT, RATING, REVIEW_ID, TEXT
from reviewlens.spark.tables import quote

BROKEN = "_corrupt_record"  # Spark's column for a line that could not be parsed
UNREAD_RATING, UNREAD_DATE = "rating_is_unread", "created_at_is_unread"

_JAVA_CHARSETS = {"utf-8": "UTF-8", "cp949": "x-windows-949"}  # what Java calls Cp949 garbles 뷁
_FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl"}
_PATTERN_CHARACTERS = re.compile(r"[\[\]{}*?\\:]")
_BLOCK_BYTES = 1 << 20
_DATE = r"^(\d{4})\s*[-./년]\s*(\d{1,2})\s*[-./월]\s*(\d{1,2})(?:\s*[.일])?"
_NESTED: tuple[type[DataType], ...] = (ArrayType, MapType, StructType)

# Names by which files call our columns, in lower case without spaces, dashes and underscores.
ALIASES = {
    REVIEW_ID: ("reviewid", "id", "reviewno", "리뷰번호", "리뷰글번호", "리뷰id", "후기번호"),
    MALL_ID: (
        *("mallid", "mall", "mallname", "shop", "shopid", "shopname", "store", "storeid", "storename", "brand"),
        *("brandname", "몰", "몰명", "쇼핑몰", "쇼핑몰명", "스토어", "브랜드"),
    ),
    TEXT: (
        *("text", "review", "reviewtext", "content", "contents", "body", "comment", "리뷰", "리뷰내용"),
        *("리뷰상세내용", "내용", "후기", "후기내용", "본문"),
    ),
    CATEGORY: ("category", "categoryname", "카테고리", "분류"),
    PRODUCT: ("product", "productname", "item", "itemname", "상품", "상품명", "제품명"),
    RATING: ("rating", "score", "star", "stars", "평점", "별점", "구매자평점"),
    CREATED_AT: (
        "createdat",
        "date",
        "writtenat",
        "reviewdate",
        "작성일",
        "작성일시",
        "작성일자",
        "등록일",
        "리뷰등록일",
    ),
}


def read_file(spark: SparkSession, file: Path) -> DataFrame:
    """The file's rows; values of CSV and JSON are strings as written, and a line that is broken fills `BROKEN`.

    A directory is read as Parquet. Rows of a CSV without any value are left out.

    Raises:
        InputContractError: there is no such file, or it cannot be read in its format.
    """
    kind = "parquet" if file.is_dir() else _FORMATS.get(file.suffix.lower())
    if not file.exists():
        raise InputContractError(f"No file at {file}.")
    if kind is None:
        raise InputContractError(f"{file} ends in none of {', '.join(_FORMATS)}: save it in one of these formats.")
    path = str(file.absolute())
    if found := _PATTERN_CHARACTERS.search(path):
        raise InputContractError(f"{file}: Spark takes {found.group()} in a path for a pattern: rename the file.")
    charset = None if kind == "parquet" else _JAVA_CHARSETS[detect_encoding(file)]
    # CP949 is not among the charsets that Spark 4 takes without this setting.
    spark.conf.set("spark.sql.legacy.javaCharsets", "true")
    try:
        if kind == "csv":
            return _read_csv(spark, f"file:{path}", charset)
        if kind == "parquet":
            return spark.read.parquet(f"file:{path}")
        rows = spark.read.json(f"file:{path}", primitivesAsString=True, encoding=charset, lineSep="\n")
    except (PySparkException, Py4JJavaError) as error:
        raise InputContractError(f"{file} cannot be read as {kind}: save it again from where it came.") from error
    if rows.columns == [BROKEN]:
        raise InputContractError(f"{file} holds no JSON lines: it needs one object in braces on each line.")
    return rows


def detect_encoding(file: Path) -> str:
    """`utf-8` or `cp949`: the first of them in which the whole file can be decoded.

    Raises:
        InputContractError: it can be decoded in neither.
    """
    for name in _JAVA_CHARSETS:
        decoder = codecs.getincrementaldecoder(name)()
        try:
            with file.open("rb") as stream:
                while block := stream.read(_BLOCK_BYTES):
                    decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return name
    raise InputContractError(f"{file} is neither UTF-8 nor CP949: save it as UTF-8 (Excel: CSV UTF-8).")


def match_columns(file: Path, names: Sequence[str], given: Mapping[str, str | None]) -> dict[str, str | None]:
    """Which of the file's columns is which of ours; None where the file has none.

    Args:
        file: for messages.
        names: the file's columns.
        given: our name to the file's; an empty name says that the file has none; None, or no entry: guess.

    Raises:
        InputContractError: lists every column that is missing or may be several, and the file's columns.
    """
    matched: dict[str, str | None] = {}
    faults = []
    free = [name for name in names if name not in given.values()]
    for ours, aliases in ALIASES.items():
        wanted = given.get(ours)
        guesses = [wanted] if wanted else [] if wanted == "" else _guess(free, aliases)
        matched[ours] = guesses[0] if len(guesses) == 1 else None
        if wanted and wanted not in names:
            faults.append(f"there is no column {wanted} for {ours}")
        elif len(guesses) > 1:
            faults.append(f"{ours} may be {' or '.join(guesses)}: say which with --columns.{ours} NAME")
        elif ours == TEXT and not guesses:
            faults.append(f"no column is known to hold the review's text: name it with --columns.{TEXT} NAME")
    if faults:
        raise InputContractError(f"{file}: {'; '.join(faults)}. The file's columns: {', '.join(names) or 'none'}.")
    return matched


def select_columns(table: DataFrame, columns: Mapping[str, str | None]) -> DataFrame:
    """The rows in the columns of `REVIEWS_DDL`, and what could not be read of them.

    `BROKEN` is true for a line that could not be parsed, `UNREAD_RATING` and `UNREAD_DATE` for a value that is there
    and makes no number or time: NULL is in its place.

    Raises:
        InputContractError: a column holds nested values.
    """
    types = {field.name: field.dataType for field in table.schema}
    nested = [name for name in columns.values() if name and isinstance(types[name], _NESTED)]
    if nested:
        raise InputContractError(f"Columns hold nested values, and must hold plain ones: {', '.join(nested)}.")
    source = {ours: F.col(quote(name)) if name else F.lit(None).cast("string") for ours, name in columns.items()}
    rating_as_is, date_as_is = (F.when(F.trim(source[name]) != "", source[name]) for name in (RATING, CREATED_AT))
    rating, created_at = rating_as_is.try_cast("double"), _parse_time(date_as_is)
    broken = F.col(BROKEN).isNotNull() if BROKEN in types else F.lit(False)
    return table.select(
        *(source[name].cast("string").alias(name) for name in (REVIEW_ID, MALL_ID, TEXT, CATEGORY, PRODUCT)),
        rating.alias(RATING),
        created_at.alias(CREATED_AT),
        broken.alias(BROKEN),
        (rating_as_is.isNotNull() & rating.isNull()).alias(UNREAD_RATING),
        (date_as_is.isNotNull() & created_at.isNull()).alias(UNREAD_DATE),
    )


def _read_csv(spark: SparkSession, path: str, charset: str | None) -> DataFrame:
    options: dict[str, bool | int | str | None] = {
        "header": True,
        "multiLine": True,
        "escape": '"',
        "encoding": charset,
        "maxCharsPerColumn": -1,
    }
    names = spark.read.options(**options).csv(path).columns
    if not names:
        return spark.createDataFrame([], "")
    schema = StructType().add(BROKEN, "string")
    for name in names:
        schema = schema.add(name, "string")
    return spark.read.options(**options).schema(schema).csv(path).dropna("all")


def _guess(names: Sequence[str], aliases: Sequence[str]) -> list[str]:
    """The names that are aliases; only those of our own name, which is the first alias, where there are such."""
    plain = {name: re.sub(r"[\s_-]", "", unicodedata.normalize("NFC", name)).lower() for name in names}
    own = [name for name in names if plain[name] == aliases[0]]
    return own or [name for name in names if plain[name] in aliases]


def _parse_time(value: Column) -> Column:
    """A timestamp from one, or from text: ISO 8601, 20240105, and dates such as 2024.1.5. or 2024년 1월 5일."""
    text = F.regexp_replace(F.trim(value), _DATE, "$1-$2-$3")
    return F.coalesce(text.try_cast("timestamp"), F.try_to_timestamp(text, F.lit("yyyyMMdd")))
