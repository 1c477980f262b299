-- 최근 4주 키워드를 찾지 못한 리뷰의 몰별 비중은? / What share of each mall's reviews speaks of no keyword, last 28 days?
-- :today DATE, :min_reviews INT. A high share says that the taxonomy misses what the mall's customers talk about.
SELECT
  mall_id,
  count(*) AS reviews,
  count_if(coalesce(array_size(keywords), 0) = 0) AS without_keyword,
  count_if(coalesce(array_size(keywords), 0) = 0) / count(*) AS share
FROM review_scores
WHERE (created_at >= date_sub(:today, 27) OR created_at IS NULL)  -- implied by the next line; lets Delta skip files
  AND CAST(coalesce(created_at, scored_at) AS DATE) BETWEEN date_sub(:today, 27) AND :today
GROUP BY mall_id
HAVING count(*) >= :min_reviews
ORDER BY share DESC, reviews DESC, mall_id
