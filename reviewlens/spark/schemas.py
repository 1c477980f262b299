"""Every table that ReviewLens writes: its columns, declared once.

`TABLES` maps a table's name to its DDL. Columns that code refers to by name have a constant here.
"""

REVIEW_ID = "review_id"
MALL_ID = "mall_id"
CATEGORY = "category"
PRODUCT = "product"
RATING = "rating"
CREATED_AT = "created_at"
TEXT = "text"

FINGERPRINT = "fingerprint"
REASON = "reason"
SCORE = "score"
CHUNK = "chunk"
IS_NEW = "is_new"
RUN_ID = "run_id"
BUNDLE_ID = "bundle_id"
SCORED_AT = "scored_at"
REFUSED_AT = "refused_at"
PROBABILITIES = "probabilities"
KEYWORDS = "keywords"
TRUNCATED = "truncated"
RAW = "raw"

HIGHLIGHT_DDL = "STRUCT<word: STRING, start: INT, end: INT, probability_without: FLOAT>"
KEYWORD_DDL = (
    "STRUCT<keyword: STRING, probability: FLOAT, sentiment: STRING, sentiment_value: INT, "
    f"sentiment_probability: FLOAT, highlight: {HIGHLIGHT_DDL}>"
)
# What the scoring UDF gives back for one text; NULL where there was nothing to score.
SCORE_DDL = f"{PROBABILITIES} MAP<STRING, FLOAT>, {KEYWORDS} ARRAY<{KEYWORD_DDL}>, {TRUNCATED} BOOLEAN"

# The source as the pipeline sees it, whatever its columns are called there.
REVIEWS_DDL = f"""
    {REVIEW_ID} STRING, {MALL_ID} STRING, {TEXT} STRING, {CATEGORY} STRING, {PRODUCT} STRING, {RATING} DOUBLE,
    {CREATED_AT} TIMESTAMP
"""

TABLES = {
    # One row for each scored review. Highlights' offsets count code points of the stored text.
    "review_scores": f"""
        {REVIEW_ID} STRING NOT NULL, {MALL_ID} STRING, {CATEGORY} STRING, {CREATED_AT} TIMESTAMP,
        {PROBABILITIES} MAP<STRING, FLOAT>, {KEYWORDS} ARRAY<{KEYWORD_DDL}>, {TRUNCATED} BOOLEAN,
        {FINGERPRINT} STRING, {BUNDLE_ID} STRING, {RUN_ID} STRING, {SCORED_AT} TIMESTAMP
    """,
    # One row for each refusal: why, and the row as it was, its text cut to what would have been scored.
    "quarantine": f"""
        {REVIEW_ID} STRING NOT NULL, {MALL_ID} STRING, {REASON} STRING NOT NULL, {RAW} MAP<STRING, STRING>,
        {FINGERPRINT} STRING, {BUNDLE_ID} STRING, {RUN_ID} STRING, {REFUSED_AT} TIMESTAMP
    """,
    # The ledger. input = scored + quarantined + unchanged in every finished run.
    "scoring_runs": f"""
        {RUN_ID} STRING NOT NULL, status STRING, started_at TIMESTAMP, finished_at TIMESTAMP, seconds DOUBLE,
        source STRING, source_version BIGINT, {BUNDLE_ID} STRING, taxonomy_version STRING, options STRING,
        input BIGINT, scored BIGINT, quarantined BIGINT, unchanged BIGINT, chunks INT, rows_per_second DOUBLE
    """,
    "scoring_chunks": f"""
        {RUN_ID} STRING NOT NULL, {CHUNK} INT, input BIGINT, scored BIGINT, quarantined BIGINT,
        scores_version BIGINT, score_seconds DOUBLE, write_seconds DOUBLE, committed_at TIMESTAMP
    """,
}
VIEWS = ("review_keywords", "mall_keyword_daily")  # in the order in which they build on one another
