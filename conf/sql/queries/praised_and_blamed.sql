-- :praised은(는) 칭찬하고 :blamed은(는) 탓하는 이번 주 리뷰는? / Which reviews this week praise :praised and blame :blamed?
-- :today DATE, :praised STRING, :blamed STRING. Row by row, without a shuffle before the order.
SELECT
  review_id,
  mall_id,
  category,
  created_at,
  get(filter(keywords, found -> found.keyword = :praised), 0).highlight.word AS praise,
  get(filter(keywords, found -> found.keyword = :blamed), 0).highlight.word AS blame
FROM review_scores
WHERE (created_at >= date_sub(:today, 6) OR created_at IS NULL)  -- implied by the next line; lets Delta skip files
  AND CAST(coalesce(created_at, scored_at) AS DATE) BETWEEN date_sub(:today, 6) AND :today
  AND exists(keywords, found -> found.keyword = :praised AND found.sentiment_value > 0)
  AND exists(keywords, found -> found.keyword = :blamed AND found.sentiment_value < 0)
ORDER BY coalesce(created_at, scored_at) DESC, review_id
