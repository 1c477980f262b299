-- 최근 4주 카테고리마다 무엇을 말하는가? / What do the reviews of each category speak of, last 28 days?
-- :today DATE, :top INT (keywords to list of each category). Reviews without a category are a category of their own.
WITH found AS (
  SELECT category, position, pair.keyword, pair.sentiment_value
  FROM review_scores
  LATERAL VIEW posexplode_outer(arrays_zip(keywords.keyword, keywords.sentiment_value)) AS position, pair
  WHERE (created_at >= date_sub(:today, 27) OR created_at IS NULL)  -- implied by the next line; lets Delta skip files
    AND CAST(coalesce(created_at, scored_at) AS DATE) BETWEEN date_sub(:today, 27) AND :today
),
counts AS (
  SELECT
    category,
    keyword,
    count(*) AS reviews,
    -- Every review has exactly one row whose position is 0 or null: they count reviews without a second pass.
    count_if(coalesce(position, 0) = 0) AS first_rows,
    avg(sentiment_value) AS mean_sentiment
  FROM found
  GROUP BY category, keyword
),
beside_totals AS (
  SELECT *, sum(first_rows) OVER (PARTITION BY category) AS category_reviews
  FROM counts
),
ranked AS (
  SELECT
    category,
    row_number() OVER (PARTITION BY category ORDER BY reviews DESC, keyword) AS rank,
    keyword,
    reviews,
    category_reviews,
    reviews / category_reviews AS share,
    mean_sentiment
  FROM beside_totals
  WHERE keyword IS NOT NULL
)
SELECT *
FROM ranked
WHERE rank <= :top
ORDER BY category, rank
