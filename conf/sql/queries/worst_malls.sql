-- 이번 주 :keyword 불만이 가장 심한 몰은? / Which malls have the worst complaints about :keyword this week?
-- :today DATE, :keyword STRING, :min_reviews INT (malls with fewer reviews of the keyword are left out).
-- Ordered by the lower end of the negative share's 95% Wilson interval, so that 2 bad of 2 do not pass 60 bad of 100.
WITH week AS (
  SELECT
    mall_id,
    sum(reviews) AS reviews,
    sum(negative) AS negative,
    sum(mean_sentiment * reviews) / sum(reviews) AS mean_sentiment
  FROM mall_keyword_daily
  WHERE keyword = :keyword AND day BETWEEN date_sub(:today, 6) AND :today
  GROUP BY mall_id
  HAVING sum(reviews) >= :min_reviews
)
SELECT
  mall_id,
  reviews,
  negative,
  negative / reviews AS negative_share,
  -- (k + z²/2 - z·√(k(n-k)/n + z²/4)) / (n + z²) with z = 1.96
  (negative + 1.9208D - 1.96D * sqrt(negative * (reviews - negative) / reviews + 0.9604D)) / (reviews + 3.8416D)
    AS negative_share_low,
  mean_sentiment
FROM week
WHERE negative > 0
ORDER BY negative_share_low DESC, reviews DESC, mall_id
