-- 최근 4주 :mall의 :keyword 일별 추이는? / How did :keyword go at :mall day by day, last 28 days, with 7-day moving means?
-- :today DATE, :mall STRING (NULL for reviews without a mall), :keyword STRING.
-- Days without a review are rows too. A moving mean weighs every review alike, not every day.
WITH calendar AS (
  SELECT explode(sequence(date_sub(:today, 33), :today)) AS day
),
found AS (
  SELECT day, reviews, negative, mean_sentiment
  FROM mall_keyword_daily
  WHERE keyword = :keyword
    AND mall_id <=> :mall
    AND day BETWEEN date_sub(:today, 33) AND :today
),
filled AS (
  SELECT
    calendar.day,
    coalesce(found.reviews, 0) AS reviews,
    coalesce(found.negative, 0) AS negative,
    found.mean_sentiment
  FROM calendar
  LEFT JOIN found ON calendar.day = found.day
),
moving AS (
  SELECT
    day,
    reviews,
    negative,
    mean_sentiment,
    sum(reviews) OVER last_7_days / 7 AS reviews_7d,
    try_divide(sum(negative) OVER last_7_days, sum(reviews) OVER last_7_days) AS negative_share_7d,
    try_divide(sum(mean_sentiment * reviews) OVER last_7_days, sum(reviews) OVER last_7_days) AS mean_sentiment_7d
  FROM filled
  WINDOW last_7_days AS (ORDER BY day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)
)
SELECT *
FROM moving
WHERE day > date_sub(:today, 28)
ORDER BY day
