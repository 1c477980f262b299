-- 지난주보다 부정 비중이 오른 키워드는? / Which keywords' negative share rose from last week to this week?
-- :today DATE, :min_reviews INT (needed in both weeks).
WITH weeks AS (
  SELECT
    keyword,
    sum(reviews) FILTER (WHERE day <= date_sub(:today, 7)) AS reviews_before,
    sum(reviews) FILTER (WHERE day > date_sub(:today, 7)) AS reviews_now,
    sum(negative) FILTER (WHERE day <= date_sub(:today, 7)) AS negative_before,
    sum(negative) FILTER (WHERE day > date_sub(:today, 7)) AS negative_now
  FROM mall_keyword_daily
  WHERE day BETWEEN date_sub(:today, 13) AND :today
  GROUP BY keyword
),
shares AS (
  SELECT
    keyword,
    reviews_before,
    reviews_now,
    negative_before / reviews_before AS negative_share_before,
    negative_now / reviews_now AS negative_share_now
  FROM weeks
  WHERE reviews_before >= :min_reviews AND reviews_now >= :min_reviews
)
SELECT *, negative_share_now - negative_share_before AS rise
FROM shares
WHERE negative_share_now > negative_share_before
ORDER BY rise DESC, keyword
