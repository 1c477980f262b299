"""The cascade over a batch of texts: keywords, then their sentiments, then their highlights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from reviewlens.bundle import Bundle, read_bundle, resolve_bundle
from reviewlens.inference.classifier import Classifier, Dtype
from reviewlens.inference.results import Highlight, KeywordScore, Score, SentimentScore, WordEffects
from reviewlens.text import Word, hide_words, normalize, split_words

_TIE = 1e-6  # two words within this are equally strong, and the earlier one is the highlight


class Scorer:
    """Scores reviews with one bundle on one device.

    Every text is scored in its NFC form, and every offset counts code points of the text as given. A text that is
    longer than the models' window is cut at the end of a word, so that all three stages see the same beginning; its
    score says `truncated`.
    """

    def __init__(self, bundle: Bundle, keyword: Classifier, sentiment: Classifier) -> None:
        self.bundle = bundle
        self.taxonomy = bundle.manifest.taxonomy
        self._keyword, self._sentiment = keyword, sentiment
        self._thresholds = np.array(
            [bundle.manifest.thresholds[name] for name in self.taxonomy.keywords], dtype=np.float32
        )
        frames = [self.taxonomy.write_prompt("", name) for name in self.taxonomy.keywords]
        self._reserve = max(len(ids) for ids in sentiment.tokenizer(frames)["input_ids"]) + 2

    @classmethod
    def load(
        cls, bundle: str | Path = "starter", device: str = "cpu", dtype: Dtype = "float32", token_budget: int = 2_048
    ) -> Self:
        """Load a bundle, verified by its hashes.

        Args:
            bundle: `starter`, or the path of a bundle's directory.
            device: `cpu`, `cuda` or `cuda:N`.
            dtype: what matrices are multiplied in.
            token_budget: padded tokens of a batch.

        Raises:
            BundleError: the bundle is missing, changed or unsafe.
            DeviceError: the device is not there.
        """
        verified = read_bundle(resolve_bundle(str(bundle)))
        taxonomy = verified.manifest.taxonomy
        return cls(
            verified,
            Classifier(verified.path / "keyword", taxonomy.keywords, device, dtype, token_budget),
            Classifier(verified.path / "sentiment", taxonomy.sentiment_names, device, dtype, token_budget),
        )

    @property
    def mask(self) -> str:
        """The text that stands for a hidden word."""
        return self._keyword.mask

    def score(self, texts: Sequence[str]) -> list[Score]:
        """Score each text; the result has the order of `texts`, and what stands beside a text does not change it."""
        seen = self._fit(texts)
        probabilities = self._keyword.predict(seen)
        found = probabilities >= self._thresholds
        pairs = [(row, column) for row, column in np.argwhere(found).tolist()]
        sentiments = self._judge([(seen[row], self.taxonomy.keywords[column]) for row, column in pairs])

        rows = np.flatnonzero(found.any(axis=1)).tolist()
        effects = self._leave_out([texts[row] for row in rows], [seen[row] for row in rows], probabilities[rows])
        effects_of = dict(zip(rows, effects, strict=True))

        keywords: list[list[KeywordScore]] = [[] for _ in texts]
        for (row, column), sentiment in zip(pairs, sentiments, strict=True):
            keywords[row].append(
                KeywordScore(
                    keyword=self.taxonomy.keywords[column],
                    probability=float(probabilities[row, column]),
                    sentiment=sentiment.sentiment,
                    sentiment_probability=sentiment.probability,
                    highlight=find_highlight(effects_of[row], column),
                )
            )
        return [
            Score(
                probabilities=dict(zip(self.taxonomy.keywords, probabilities[row].tolist(), strict=True)),
                keywords=keywords[row],
                truncated=len(seen[row]) < len(normalize(text)),
            )
            for row, text in enumerate(texts)
        ]

    def keyword_probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The first stage alone: every keyword's probability, of shape (texts, keywords)."""
        return self._keyword.predict(self._fit(texts))

    def keyword_vectors(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """What the first stage's encoder makes of each text: its mean last hidden state, of shape (texts, hidden)."""
        return self._keyword.embed(self._fit(texts))

    def sentiments(self, pairs: Sequence[tuple[str, str]]) -> list[SentimentScore]:
        """The second stage alone: the sentiment of each (text, keyword), whoever chose the keyword."""
        seen = self._fit([text for text, _ in pairs])
        return self._judge([(text, keyword) for text, (_, keyword) in zip(seen, pairs, strict=True)])

    def highlights(self, pairs: Sequence[tuple[str, str]]) -> list[Highlight | None]:
        """The third stage alone: the highlight of each (text, keyword), found or not.

        None where no word's absence lowers the keyword's probability.
        """
        texts = list(dict.fromkeys(text for text, _ in pairs))
        effects = dict(zip(texts, self.word_effects(texts), strict=True))
        return [find_highlight(effects[text], self.taxonomy.keywords.index(keyword)) for text, keyword in pairs]

    def word_effects(self, texts: Sequence[str]) -> list[WordEffects]:
        """For each text, every keyword's probability with each word hidden in turn (leave-one-word-out)."""
        seen = self._fit(texts)
        return self._leave_out(texts, seen, self._keyword.predict(seen))

    def _fit(self, texts: Sequence[str]) -> list[str]:
        normalized = [normalize(text) for text in texts]
        if not normalized:
            return []
        keyword = self._keyword.fit_window(normalized, self._reserve)
        sentiment = self._sentiment.fit_window(normalized, self._reserve)
        return [text[: min(ends)] for text, *ends in zip(normalized, keyword, sentiment, strict=True)]

    def _judge(self, pairs: Sequence[tuple[str, str]]) -> list[SentimentScore]:
        names = self.taxonomy.sentiment_names
        probabilities = self._sentiment.predict([self.taxonomy.write_prompt(text, keyword) for text, keyword in pairs])
        return [
            SentimentScore(names[best], float(row[best]), dict(zip(names, row.tolist(), strict=True)))
            for row, best in zip(probabilities, probabilities.argmax(axis=1).tolist(), strict=True)
        ]

    def _leave_out(
        self, texts: Sequence[str], seen: Sequence[str], probabilities: npt.NDArray[np.float32]
    ) -> list[WordEffects]:
        variants, words_of = [], []
        for text, visible in zip(texts, seen, strict=True):
            hidden = split_words(visible)
            variants += [hide_words(visible, [word], self._keyword.mask) for word in hidden]
            words_of.append(split_words(text)[: len(hidden)])
        without = np.split(self._keyword.predict(variants), np.cumsum([len(words) for words in words_of])[:-1])
        return [WordEffects(*parts) for parts in zip(words_of, probabilities, without, strict=bool(words_of))]


def find_highlight(effects: WordEffects, column: int) -> Highlight | None:
    """The word whose absence lowers keyword number `column` most; the earlier one of a tie; None if none lowers it."""
    if not effects.words:
        return None
    without = effects.without[:, column]
    if without.min() >= effects.probabilities[column]:
        return None
    index = int(np.argmax(without <= without.min() + _TIE))
    word: Word = effects.words[index]
    return Highlight(word.text, word.start, word.end, float(without[index]))
