-- 최근 4주 함께 나오는 키워드는? / Which keywords are spoken of in the same reviews, last 28 days?
-- :today DATE, :min_reviews INT (reviews that a pair needs).
-- Pairs are made inside each review, so nothing is joined; a keyword paired with itself counts its own reviews.
WITH pairs AS (
  SELECT a.keyword AS keyword_a, b.keyword AS keyword_b, a.sentiment_value * b.sentiment_value < 0 AS opposed
  FROM review_scores
  LATERAL VIEW explode(arrays_zip(keywords.keyword, keywords.sentiment_value)) AS a
  LATERAL VIEW explode(arrays_zip(keywords.keyword, keywords.sentiment_value)) AS b
  WHERE (created_at >= date_sub(:today, 27) OR created_at IS NULL)  -- implied by the next line; lets Delta skip files
    AND CAST(coalesce(created_at, scored_at) AS DATE) BETWEEN date_sub(:today, 27) AND :today
    AND a.keyword <= b.keyword
),
counts AS (
  SELECT keyword_a, keyword_b, count(*) AS reviews, count_if(opposed) AS opposed
  FROM pairs
  GROUP BY keyword_a, keyword_b
),
beside_totals AS (
  SELECT
    *,
    max(reviews) FILTER (WHERE keyword_a = keyword_b) OVER (PARTITION BY keyword_a) AS reviews_a,
    max(reviews) FILTER (WHERE keyword_a = keyword_b) OVER (PARTITION BY keyword_b) AS reviews_b
  FROM counts
)
SELECT
  keyword_a,
  keyword_b,
  reviews,
  reviews / (reviews_a + reviews_b - reviews) AS jaccard,
  opposed / reviews AS opposed_share
FROM beside_totals
WHERE keyword_a < keyword_b AND reviews >= :min_reviews
ORDER BY jaccard DESC, keyword_a, keyword_b
