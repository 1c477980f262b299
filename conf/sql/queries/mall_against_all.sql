-- 최근 4주 :mall은 전체 몰과 어떻게 다른가? / How does :mall differ from all malls, keyword by keyword, last 28 days?
-- :today DATE, :mall STRING (NULL for reviews without a mall). Shares are of all scored reviews, keyword or not.
WITH reviews AS (
  SELECT mall_id <=> :mall AS own, keywords
  FROM review_scores
  WHERE (created_at >= date_sub(:today, 27) OR created_at IS NULL)  -- implied by the next line; lets Delta skip files
    AND CAST(coalesce(created_at, scored_at) AS DATE) BETWEEN date_sub(:today, 27) AND :today
),
by_keyword AS (
  SELECT
    pair.keyword,
    count_if(own) AS mall_reviews,
    count(*) AS all_reviews,
    avg(pair.sentiment_value) FILTER (WHERE own) AS mall_sentiment,
    avg(pair.sentiment_value) AS all_sentiment
  FROM reviews
  LATERAL VIEW explode(arrays_zip(keywords.keyword, keywords.sentiment_value)) AS pair
  GROUP BY pair.keyword
),
shares AS (
  SELECT
    keyword,
    mall_reviews,
    try_divide(mall_reviews, (SELECT count_if(own) FROM reviews)) AS mall_share,
    try_divide(all_reviews, (SELECT count(*) FROM reviews)) AS all_share,
    mall_sentiment,
    all_sentiment
  FROM by_keyword
)
SELECT *, mall_share - all_share AS share_gap, mall_sentiment - all_sentiment AS sentiment_gap
FROM shares
ORDER BY sentiment_gap ASC NULLS LAST, keyword
