-- 리뷰 × 키워드: 찾은 키워드마다 한 행. 키워드가 없는 리뷰는 나오지 않는다.
-- Review × keyword: a row for each keyword found. Reviews without a keyword give none.
SELECT
  review_id,
  mall_id,
  category,
  created_at,
  found.keyword,
  found.probability,
  found.sentiment,
  found.sentiment_value,
  found.sentiment_probability,
  found.highlight.word AS highlight,
  found.highlight.start AS highlight_start,
  found.highlight.end AS highlight_end,
  found.highlight.probability_without AS probability_without_highlight,
  truncated,
  bundle_id,
  run_id,
  scored_at
FROM review_scores
LATERAL VIEW explode(keywords) AS found
