-- 이번 주 처음 나타난 불만 단어는? / Which complaint words of this week were in no complaint of the 28 days before?
-- :today DATE, :min_reviews INT (reviews of this week that a word needs).
-- Punctuation, emoji, ㅋㅋ and ㅠㅠ at a word's ends do not make another word, nor does NFD.
WITH words AS (
  SELECT
    keyword,
    coalesce(
      nullif(regexp_replace(highlight, r'^[[^\p{L}\p{N}]ㄱ-ㅣ]+|[[^\p{L}\p{N}]ㄱ-ㅣ]+$', ''), ''),
      highlight
    ) AS word,
    coalesce(mall_id, '') AS mall_id,
    CAST(coalesce(created_at, scored_at) AS DATE) AS day
  FROM review_keywords
  WHERE (created_at >= date_sub(:today, 34) OR created_at IS NULL)  -- implied by the next line; lets Delta skip files
    AND CAST(coalesce(created_at, scored_at) AS DATE) BETWEEN date_sub(:today, 34) AND :today
    AND sentiment_value < 0
    AND highlight IS NOT NULL
)
SELECT
  keyword,
  mode(word, true) AS word,
  count(*) AS reviews,
  count(DISTINCT mall_id) AS malls,
  min(day) AS first_day
FROM words
GROUP BY keyword, word COLLATE UNICODE
HAVING min(day) > date_sub(:today, 7) AND count(*) >= :min_reviews
ORDER BY reviews DESC, keyword, word
