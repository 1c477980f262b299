-- 몰 × 날짜 × 키워드: 감성별 리뷰 수, 비중, 평균 감성.
-- Mall × day × keyword: reviews by sentiment, share of the mall's reviews of the day, mean sentiment.
-- No join, so a null mall is a group like any other: every review has exactly one row whose `position`
-- is 0 or null, with or without keywords, and those rows count the mall's reviews.
WITH dated AS (
  -- coalesce(created_at, scored_at) in two branches, so that a filter on `day` reaches Delta, which skips files by it.
  SELECT mall_id, CAST(created_at AS DATE) AS day, keywords FROM review_scores WHERE created_at IS NOT NULL
  UNION ALL
  SELECT mall_id, CAST(scored_at AS DATE) AS day, keywords FROM review_scores WHERE created_at IS NULL
),
found AS (
  SELECT
    mall_id,
    day,
    position,
    pair.keyword,
    pair.sentiment,
    pair.sentiment_value
  FROM dated
  -- Zipping what is needed leaves highlights unread: a struct that is exploded whole is read whole.
  LATERAL VIEW posexplode_outer(arrays_zip(keywords.keyword, keywords.sentiment, keywords.sentiment_value))
    AS position, pair
),
by_sentiment AS (
  -- By name alone: a level whose value changed with the taxonomy is still one key of the map.
  SELECT
    mall_id,
    day,
    keyword,
    sentiment,
    count(*) AS reviews,
    count_if(coalesce(position, 0) = 0) AS first_rows,
    min(sentiment_value) AS level,
    count_if(sentiment_value < 0) AS negative,
    count_if(sentiment_value = 0) AS neutral,
    count_if(sentiment_value > 0) AS positive,
    sum(sentiment_value) AS total
  FROM found
  GROUP BY mall_id, day, keyword, sentiment
),
by_keyword AS (
  SELECT
    mall_id,
    day,
    keyword,
    sum(reviews) AS reviews,
    sum(first_rows) AS first_rows,
    map_from_entries(transform(
      array_sort(collect_list(struct(level, sentiment, reviews)) FILTER (WHERE sentiment IS NOT NULL)),
      entry -> struct(entry.sentiment, entry.reviews)
    )) AS sentiments,
    sum(negative) AS negative,
    sum(neutral) AS neutral,
    sum(positive) AS positive,
    sum(total) AS total
  FROM by_sentiment
  GROUP BY mall_id, day, keyword
),
counted AS (
  SELECT *, sum(first_rows) OVER (PARTITION BY mall_id, day) AS mall_reviews
  FROM by_keyword
)
SELECT
  mall_id,
  day,
  keyword,
  reviews,
  mall_reviews,
  reviews / mall_reviews AS share,
  sentiments,
  negative,
  neutral,
  positive,
  try_divide(total, negative + neutral + positive) AS mean_sentiment
FROM counted
WHERE keyword IS NOT NULL
