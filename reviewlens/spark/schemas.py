"""Every table that ReviewLens writes: its columns, declared once.

`SCORING_TABLES` and `RETRAINING_TABLES` map a table's name to its DDL. Columns that code refers to by name have a
constant here.
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
REFUSAL = "refusal"
WORK = "work"
RAW = "raw"

ROUND = "round"
SALT = "salt"
STRATUM = "stratum"
POPULATION = "population"
QUOTA = "quota"
DRAW_ORDER = "draw_order"
INCLUSION_PROBABILITY = "inclusion_probability"
SOURCE_VERSION = "source_version"
SCORES_VERSION = "scores_version"
IS_RANDOM = "is_random"
ANNOTATOR = "annotator"
LABELS = "labels"
PART = "part"
VERSION = "version"
CONTENT_HASH = "content_hash"

HIGHLIGHT_DDL = "STRUCT<word: STRING, start: INT, end: INT, probability_without: FLOAT>"
KEYWORD_DDL = (
    "STRUCT<keyword: STRING, probability: FLOAT, sentiment: STRING, sentiment_value: INT, "
    f"sentiment_probability: FLOAT, highlight: {HIGHLIGHT_DDL}>"
)
# What a pool of texts cost, as `inference.work.Work` has it, and what computed it.
WORK_SUMS = {
    "tokenize_seconds": "DOUBLE",
    "keyword_seconds": "DOUBLE",
    "sentiment_seconds": "DOUBLE",
    "highlight_seconds": "DOUBLE",
    "inputs": "BIGINT",
    "duplicates": "BIGINT",
    "real_tokens": "BIGINT",
    "computed_tokens": "BIGINT",
}
ENGINE = {"backend": "STRING", "dtype": "STRING", "device": "STRING", "threads": "INT", "token_budget": "INT"}
WORK_DDL = ", ".join(f"{name} {kind}" for name, kind in (WORK_SUMS | ENGINE).items())
# What the scoring UDF gives back for one text; NULL where there was nothing to score. `refusal` says why a text could
# not be computed; `work` stands beside the first text of each pool.
SCORE_DDL = f"""
    {PROBABILITIES} MAP<STRING, FLOAT>, {KEYWORDS} ARRAY<{KEYWORD_DDL}>, {TRUNCATED} BOOLEAN, {REFUSAL} STRING,
    {WORK} STRUCT<{WORK_DDL}>
"""

# The source as the pipeline sees it, whatever its columns are called there.
REVIEWS_DDL = f"""
    {REVIEW_ID} STRING, {MALL_ID} STRING, {TEXT} STRING, {CATEGORY} STRING, {PRODUCT} STRING, {RATING} DOUBLE,
    {CREATED_AT} TIMESTAMP
"""

SCORING_TABLES = {
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
    # `score_seconds` and `write_seconds` are the chunk's; the stages' seconds add up over workers.
    "scoring_chunks": f"""
        {RUN_ID} STRING NOT NULL, {CHUNK} INT, input BIGINT, scored BIGINT, quarantined BIGINT, failed BIGINT,
        scores_version BIGINT, score_seconds DOUBLE, write_seconds DOUBLE, {WORK_DDL}, committed_at TIMESTAMP
    """,
}

# What a person says of one keyword; the highlights are words of the text, with offsets in code points.
LABEL_DDL = "STRUCT<keyword: STRING, sentiment: STRING, highlights: ARRAY<STRUCT<word: STRING, start: INT, end: INT>>>"
_DRAWN_DDL = f"""
    {ROUND} STRING NOT NULL, {REVIEW_ID} STRING NOT NULL, {MALL_ID} STRING, {CATEGORY} STRING, {CREATED_AT} TIMESTAMP,
    {TEXT} STRING, {STRATUM} STRING, {POPULATION} BIGINT, {DRAW_ORDER} BIGINT, {PROBABILITIES} MAP<STRING, FLOAT>,
    {KEYWORDS} ARRAY<{KEYWORD_DDL}>, {FINGERPRINT} STRING, {BUNDLE_ID} STRING, {SALT} STRING, {SOURCE_VERSION} BIGINT,
    {SCORES_VERSION} BIGINT
"""

RETRAINING_TABLES = {
    # One row for each draw; a round that grows has several.
    "retraining_rounds": f"""
        {ROUND} STRING NOT NULL, {SALT} STRING, strata STRING, allocation STRING, requested BIGINT, min_rows BIGINT,
        max_rows BIGINT, drawn BIGINT, shortfall BIGINT, {POPULATION} BIGINT, source STRING, {SOURCE_VERSION} BIGINT,
        {SCORES_VERSION} BIGINT, quarantine_version BIGINT, runs_version BIGINT, labels_version BIGINT,
        picks_version BIGINT, {BUNDLE_ID} STRING, drawn_at TIMESTAMP
    """,
    # One row for each drawn review, with its text and scores as they were: quota / population of its stratum is the
    # probability with which it came in.
    "retraining_pool": f"""
        {_DRAWN_DDL}, {QUOTA} BIGINT, {INCLUSION_PROBABILITY} DOUBLE, drawn_at TIMESTAMP
    """,
    # One row for each review to label: why, from how many, with what probability. `quota` is the stratum's of picks and
    # `pool_rows` its rows in the pool. `pick_probability` is of a random pick among its stratum's population; chosen
    # ones have none. `settings` are those that the round was chosen with.
    "retraining_picks": f"""
        {_DRAWN_DDL}, pool_rows BIGINT, {QUOTA} BIGINT, {INCLUSION_PROBABILITY} DOUBLE, {IS_RANDOM} BOOLEAN,
        pick_probability DOUBLE, {REASON} STRING, reasons ARRAY<STRING>,
        criteria MAP<STRING, STRUCT<value: DOUBLE, percentile: DOUBLE, detail: STRING>>, cluster INT,
        settings STRING, pool_version BIGINT, labels_version BIGINT, rarity_source STRING, chosen_at TIMESTAMP
    """,
    # The clusters that outliers are measured by, for each bundle; `median_distance` is what distances are divided by.
    "cluster_centroids": f"""
        {BUNDLE_ID} STRING NOT NULL, cluster INT, centroid ARRAY<FLOAT>, rows BIGINT, median_distance DOUBLE,
        fitted_at TIMESTAMP
    """,
    # One row for each person and review of a round: what that person said last.
    "labels": f"""
        annotation_id STRING NOT NULL, {ROUND} STRING, {REVIEW_ID} STRING NOT NULL, {MALL_ID} STRING, {TEXT} STRING,
        {ANNOTATOR} STRING, {LABELS} ARRAY<{LABEL_DDL}>, {IS_RANDOM} BOOLEAN, taxonomy_version STRING, format STRING,
        labelled_at TIMESTAMP, imported_at TIMESTAMP
    """,
    # One row for each annotation that could not be imported, as it came.
    "label_quarantine": f"""
        annotation_id STRING NOT NULL, {ROUND} STRING, {REVIEW_ID} STRING, {ANNOTATOR} STRING, {REASON} STRING NOT NULL,
        {RAW} STRING, imported_at TIMESTAMP
    """,
    # One row for each figure of a check of a round's labels, and one with measure `round` for the verdict. `passed` is
    # NULL where the figure decides nothing; `detail` says why a value is missing, or more of it.
    "label_quality": f"""
        check_id STRING NOT NULL, {ROUND} STRING, measure STRING, subject STRING, value DOUBLE, rows BIGINT,
        floor DOUBLE, passed BOOLEAN, detail STRING, labels_hash STRING, checked_at TIMESTAMP
    """,
    # One row for each review of a frozen version, and one for each version. Rows whose version and content_hash are of
    # no line in training_set_versions are what a run that was cut off left: they belong to no version.
    "training_sets": f"""
        {VERSION} INT NOT NULL, {CONTENT_HASH} STRING NOT NULL, {REVIEW_ID} STRING NOT NULL, {MALL_ID} STRING,
        {TEXT} STRING, {LABELS} ARRAY<{LABEL_DDL}>, {PART} STRING, {IS_RANDOM} BOOLEAN, {ROUND} STRING, annotators INT
    """,
    "training_set_versions": f"""
        {VERSION} INT NOT NULL, {CONTENT_HASH} STRING, train BIGINT, validation BIGINT, test BIGINT,
        labels_version BIGINT, rounds ARRAY<STRING>, corpus STRING, taxonomy_version STRING, frozen_at TIMESTAMP
    """,
    # One row for each figure of a comparison, and one with measure `gate` for the verdict; `passed` is NULL where the
    # figure is no gate. `value` is a figure of both models together, such as their agreement.
    "evaluations": f"""
        evaluation_id STRING NOT NULL, challenger STRING, champion STRING, training_set INT, {CONTENT_HASH} STRING,
        settings STRING, position INT, measure STRING, subject STRING, champion_value DOUBLE, challenger_value DOUBLE,
        difference DOUBLE, low DOUBLE, high DOUBLE, value DOUBLE, rows BIGINT, passed BOOLEAN, evaluated_at TIMESTAMP
    """,
    # One row for each move of an alias; the one with the highest number holds. A rollback goes to `previous_number`.
    "model_registry": f"""
        number BIGINT NOT NULL, alias STRING NOT NULL, event STRING, {BUNDLE_ID} STRING, path STRING,
        evaluation_id STRING, previous_number BIGINT, moved_at TIMESTAMP
    """,
    # One row for each mall, keyword and measure whose rate of a week left its bounds. `dispersion` is how much the
    # rate varied between the reference's weeks beyond chance; `q_value` is `p_value` after all comparisons.
    "drift_alerts": f"""
        detected_at TIMESTAMP, {MALL_ID} STRING, keyword STRING, measure STRING, week_start DATE, week_end DATE,
        week_rows BIGINT, week_rate DOUBLE, reference_start DATE, reference_rows BIGINT, reference_rate DOUBLE,
        low DOUBLE, high DOUBLE, dispersion DOUBLE, p_value DOUBLE, q_value DOUBLE, {BUNDLE_ID} STRING
    """,
}
TABLES = SCORING_TABLES | RETRAINING_TABLES
VIEWS = ("review_keywords", "mall_keyword_daily")  # in the order in which they build on one another
