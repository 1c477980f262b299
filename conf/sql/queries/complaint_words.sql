-- 최근 4주 :keyword 부정 리뷰를 대표하는 단어는? / Which highlighted words carry the negatives of :keyword, last 28 days?
-- :today DATE, :keyword STRING, :top INT (words to list).
-- Punctuation, emoji, ㅋㅋ and ㅠㅠ at a word's ends do not make another word, nor does NFD.
WITH words AS (
  SELECT
    mall_id,
    coalesce(
      nullif(regexp_replace(highlight, r'^[[^\p{L}\p{N}]ㄱ-ㅣ]+|[[^\p{L}\p{N}]ㄱ-ㅣ]+$', ''), ''),
      highlight
    ) AS word,
    probability - probability_without_highlight AS drop
  FROM review_keywords
  WHERE (created_at >= date_sub(:today, 27) OR created_at IS NULL)  -- implied by the next line; lets Delta skip files
    AND CAST(coalesce(created_at, scored_at) AS DATE) BETWEEN date_sub(:today, 27) AND :today
    AND keyword = :keyword
    AND sentiment_value < 0
    AND highlight IS NOT NULL
)
SELECT
  mode(word, true) AS word,
  count(*) AS reviews,
  count(DISTINCT coalesce(mall_id, '')) AS malls,
  avg(drop) AS mean_drop
FROM words
GROUP BY word COLLATE UNICODE
ORDER BY reviews DESC, word
LIMIT :top
