"""The cascade over a batch of texts: keywords, then their highlights and their sentiments."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from reviewlens.bundle import Bundle, read_bundle, resolve_bundle
from reviewlens.errors import InferenceError
from reviewlens.inference.autotune import tune
from reviewlens.inference.backends import BackendName, Dtype
from reviewlens.inference.backends.choice import open_backend
from reviewlens.inference.classifier import Classifier, Predictions
from reviewlens.inference.highlight import find_highlight
from reviewlens.inference.results import Highlight, KeywordScore, Refusal, Score, SentimentScore, WordEffects
from reviewlens.inference.shortlist import choose_words
from reviewlens.inference.tokens import Reading
from reviewlens.inference.work import Work
from reviewlens.text import normalize, split_words

POOL_TEXTS = 1_024  # enough for batches of near-equal length, few enough for a flat memory


class Scorer:
    """Scores reviews with one bundle on one device.

    Every text is scored in its NFC form, and every offset counts code points of the text as given. A text that is
    longer than the models' window is cut at the end of a word, so that all three stages see the same beginning; its
    score says `truncated`.
    """

    def __init__(
        self, bundle: Bundle, keyword: Classifier, sentiment: Classifier, shortlist: int | None = None
    ) -> None:
        self.bundle = bundle
        self.taxonomy = bundle.manifest.taxonomy
        self.keyword, self.sentiment, self._shortlist = keyword, sentiment, shortlist
        self._thresholds = np.array(
            [bundle.manifest.thresholds[name] for name in self.taxonomy.keywords], dtype=np.float32
        )
        frames = [self.taxonomy.write_prompt("", name) for name in self.taxonomy.keywords]
        self._reserve = max(len(ids) for ids in sentiment.encoder.encode(frames)) + 2

    @classmethod
    def load(
        cls,
        bundle: str | Path = "starter",
        device: str = "cpu",
        dtype: Dtype | Literal["auto"] = "float32",
        token_budget: int | None = 2_048,
        backend: BackendName | Literal["auto"] = "auto",
        threads: int | None = None,
        shortlist: int | None = None,
    ) -> Self:
        """Load a bundle, verified by its hashes.

        Args:
            bundle: `starter`, or the path of a bundle's directory.
            device: `cpu`, `cuda` or `cuda:N`.
            dtype: what matrices are multiplied in; `auto` takes the fastest that the machine and the bundle have.
            token_budget: padded tokens of a batch; measured on this machine, in some seconds, where None.
            backend: what runs the models; `auto` takes what suits the device and `dtype`.
            threads: CPU threads, at most where the token budget is measured; what the library takes where None.
            shortlist: `score` measures only this many words of each keyword, those that a gradient ranks highest; all
                where None.

        Raises:
            BundleError: the bundle is missing, changed or unsafe.
            ConfigError: backend, dtype and device do not go together, or the bundle lacks the models for them.
            DeviceError: the device is not there.
        """
        verified = read_bundle(resolve_bundle(str(bundle)))
        taxonomy = verified.manifest.taxonomy
        keyword, sentiment = (
            Classifier(
                verified.path / stage,
                classes,
                open_backend(verified.path, stage, backend, dtype, device, threads),
                token_budget or 1,
            )
            for stage, classes in (("keyword", taxonomy.keywords), ("sentiment", taxonomy.sentiment_names))
        )
        if token_budget is None:
            keyword.token_budget = sentiment.token_budget = tune(keyword.backend, keyword.encoder.mask_id, threads)
            sentiment.backend.use_threads(keyword.backend.threads)
        return cls(verified, keyword, sentiment, shortlist)

    @property
    def mask(self) -> str:
        """The text that stands for a hidden word."""
        return self.keyword.encoder.mask

    def score(self, texts: Sequence[str]) -> list[Score]:
        """Score each text; the result has the order of `texts`, and what stands beside a text does not change it.

        Raises:
            InferenceError: the model cannot compute one of the texts.
        """
        scores: list[Score] = []
        for pool, _ in self.score_pools(
            texts[start : start + POOL_TEXTS] for start in range(0, len(texts), POOL_TEXTS)
        ):
            for outcome in pool:
                if isinstance(outcome, Refusal):
                    raise InferenceError(f"Text number {len(scores)} could not be scored: {outcome.reason}.")
                scores.append(outcome)
        return scores

    def score_pools(self, pools: Iterable[Sequence[str]]) -> Iterator[tuple[list[Score | Refusal], Work]]:
        """Score pool by pool; the next pool is tokenised while the models compute this one.

        Batches are formed within a pool, so a pool should hold some hundred texts; two are in memory at once.

        Yields:
            For each pool its texts' outcomes, in order, and what they cost.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tokenise") as tokenizer:
            ahead = None
            for texts in pools:
                upcoming = tokenizer.submit(self._read, texts)
                if ahead is not None:
                    yield self._score_pool(*ahead.result(), tokenizer)
                ahead = upcoming
            if ahead is not None:
                yield self._score_pool(*ahead.result(), tokenizer)

    def keyword_probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The first stage alone: every keyword's probability, of shape (texts, keywords)."""
        return self._predict_keywords(self._read(texts)[1]).whole()

    def keyword_vectors(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """What the first stage's encoder makes of each text: its mean last hidden state, of shape (texts, hidden)."""
        return self.keyword.embed([reading.ids for reading in self._read(texts)[1]])

    def sentiments(self, pairs: Sequence[tuple[str, str]]) -> list[SentimentScore]:
        """The second stage alone: the sentiment of each (text, keyword), whoever chose the keyword."""
        _, readings, work = self._read([text for text, _ in pairs])
        prompts = [
            self.taxonomy.write_prompt(reading.text, keyword)
            for reading, (_, keyword) in zip(readings, pairs, strict=True)
        ]
        judged = self.sentiment.predict(self.sentiment.encoder.encode(prompts), work).whole()
        return [self._as_sentiment(row) for row in judged]

    def highlights(self, pairs: Sequence[tuple[str, str]]) -> list[Highlight | None]:
        """The third stage alone: the highlight of each (text, keyword), found or not.

        None where no word's absence lowers the keyword's probability.
        """
        texts = list(dict.fromkeys(text for text, _ in pairs))
        effects = dict(zip(texts, self.word_effects(texts), strict=True))
        return [find_highlight(effects[text], self.taxonomy.keywords.index(keyword)) for text, keyword in pairs]

    def word_effects(self, texts: Sequence[str]) -> list[WordEffects]:
        """For each text, every keyword's probability with each word hidden in turn (leave-one-word-out)."""
        _, readings, work = self._read(texts)
        probabilities = self._predict_keywords(readings).whole()
        every = [np.ones(len(reading.words), dtype=bool) for reading in readings]
        effects, lost = self._leave_out(texts, readings, every, probabilities, work)
        for row, reason in lost.items():
            raise InferenceError(f"Text number {row} could not be scored with a word hidden: {reason}.")
        return effects

    def _read(self, texts: Sequence[str]) -> tuple[Sequence[str], list[Reading], Work]:
        """The texts with their readings: what of each fits into both models' windows."""
        work = Work()
        with work.timed("tokenize"):
            first, second = self.keyword.encoder, self.sentiment.encoder
            readings = first.read([normalize(text) for text in texts], self._reserve)
            if not first.reads_like(second):
                fits = second.read([reading.text for reading in readings], self._reserve)
                shorter = [row for row, fit in enumerate(fits) if len(fit.text) < len(readings[row].text)]
                again = first.read([fits[row].text for row in shorter], self._reserve)
                for row, reading in zip(shorter, again, strict=True):
                    readings[row] = replace(reading, truncated=True)
        return texts, readings, work

    def _predict_keywords(self, readings: Sequence[Reading], work: Work | None = None) -> Predictions:
        return self.keyword.predict([reading.ids for reading in readings], work or Work())

    def _score_pool(
        self, texts: Sequence[str], readings: list[Reading], work: Work, tokenizer: ThreadPoolExecutor
    ) -> tuple[list[Score | Refusal], Work]:
        with work.timed("keyword"):
            keywords = self._predict_keywords(readings, work)
        found = keywords.probabilities >= self._thresholds
        pairs = [(row, column) for row, column in np.argwhere(found).tolist()]
        prompts = [
            self.taxonomy.write_prompt(readings[row].text, self.taxonomy.keywords[column]) for row, column in pairs
        ]
        encoding = tokenizer.submit(self.sentiment.encoder.encode, prompts)
        with work.timed("highlight"):
            rows = np.flatnonzero(found.any(axis=1)).tolist()
            chosen = self._choose_words([readings[row] for row in rows], found[rows])
            effects, lost = self._leave_out(
                [texts[row] for row in rows],
                [readings[row] for row in rows],
                chosen,
                keywords.probabilities[rows],
                work,
            )
        with work.timed("sentiment"):
            sentiments = self.sentiment.predict(encoding.result(), work)

        reasons = dict(keywords.failures)
        reasons |= {rows[index]: reason for index, reason in lost.items()}
        reasons |= {pairs[index][0]: reason for index, reason in sentiments.failures.items()}
        effects_of = dict(zip(rows, effects, strict=True))
        found_in: list[list[KeywordScore]] = [[] for _ in texts]
        for (row, column), judged in zip(pairs, sentiments.probabilities, strict=True):
            sentiment = self._as_sentiment(judged)
            found_in[row].append(
                KeywordScore(
                    keyword=self.taxonomy.keywords[column],
                    probability=float(keywords.probabilities[row, column]),
                    sentiment=sentiment.sentiment,
                    sentiment_probability=sentiment.probability,
                    highlight=find_highlight(effects_of[row], column),
                )
            )
        return [
            Refusal(reasons[row])
            if row in reasons
            else Score(
                probabilities=dict(zip(self.taxonomy.keywords, keywords.probabilities[row].tolist(), strict=True)),
                keywords=found_in[row],
                truncated=reading.truncated,
            )
            for row, reading in enumerate(readings)
        ], work

    def _as_sentiment(self, row: npt.NDArray[np.float32]) -> SentimentScore:
        names = self.taxonomy.sentiment_names
        best = int(row.argmax())
        return SentimentScore(names[best], float(row[best]), dict(zip(names, row.tolist(), strict=True)))

    def _choose_words(self, readings: Sequence[Reading], found: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.bool_]]:
        if self._shortlist is None:
            return [np.ones(len(reading.words), dtype=bool) for reading in readings]
        return choose_words(self.keyword, readings, found, self._shortlist)

    def _leave_out(
        self,
        texts: Sequence[str],
        readings: Sequence[Reading],
        chosen: Sequence[npt.NDArray[np.bool_]],
        probabilities: npt.NDArray[np.float32],
        work: Work,
    ) -> tuple[list[WordEffects], dict[int, str]]:
        """What each chosen word's absence does in each text, and why that could not be computed for some texts."""
        hidden = self.keyword.encoder.hide_words(readings, chosen)
        predicted = self.keyword.predict([ids for variants in hidden for ids in variants], work)
        ends = np.cumsum([len(variants) for variants in hidden], dtype=np.intp)
        effects = []
        measured = np.split(predicted.probabilities, ends[:-1])
        for text, words, before, after in zip(texts, chosen, probabilities, measured, strict=bool(texts)):
            without = np.full((len(words), len(before)), np.nan, dtype=np.float32)
            without[words] = after
            effects.append(WordEffects(split_words(text)[: len(words)], before, without))
        return effects, {
            int(np.searchsorted(ends, index, side="right")): reason for index, reason in predicted.failures.items()
        }
