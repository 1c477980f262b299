"""What a failing forward pass does to the texts of its batch."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from reviewlens import Scorer
from reviewlens.bundle import Bundle
from reviewlens.errors import DeviceLostError, InferenceError
from reviewlens.inference.backends import Backend, Ids
from reviewlens.inference.failures import tell_failure
from reviewlens.inference.results import Refusal, Score

TEXTS = ["배송 늦어요", "예쁘 디자인", "늦어요 배송 예쁘", "디자인 XL", "예쁘 예쁘"]


Logits = npt.NDArray[np.float32]


class Broken:
    """A backend whose logits pass through `spoil`, which may raise."""

    def __init__(self, inner: Backend, spoil: Callable[[Ids, Logits], Logits]) -> None:
        self.name, self.dtype, self.device, self.threads = inner.name, inner.dtype, inner.device, inner.threads
        self._inner, self._spoil = inner, spoil
        self.calls: list[int] = []

    def logits(self, ids: Ids, mask: Ids) -> Logits:
        self.calls.append(len(ids))
        return self._spoil(ids, self._inner.logits(ids, mask))

    def use_threads(self, threads: int) -> None:
        self._inner.use_threads(threads)


def broken_scorer(bundle: Bundle, spoil: Callable[[Ids, Logits], Logits]) -> tuple[Scorer, Broken]:
    scorer = Scorer.load(bundle.path)
    scorer.keyword.backend = backend = Broken(scorer.keyword.backend, spoil)
    return scorer, backend


def refuse(culprit: int) -> Callable[[Ids, Logits], Logits]:
    def spoil(ids: Ids, logits: Logits) -> Logits:
        if (ids == culprit).any():
            raise ValueError("a message that nobody should see")
        return logits

    return spoil


def lose(culprit: int) -> Callable[[Ids, Logits], Logits]:
    return lambda ids, logits: np.where((ids == culprit).any(axis=1, keepdims=True), np.float32(np.nan), logits)


def outcomes(scorer: Scorer) -> list[Score | Refusal]:
    [(pool, _)] = scorer.score_pools([TEXTS])
    return pool


@pytest.mark.parametrize(("spoil", "reason"), [(refuse, "model_error"), (lose, "not_finite")])
def test_only_the_text_that_breaks_the_model_is_refused(
    tiny_bundle: Bundle,
    spoil: Callable[[int], Callable[[Ids, Logits], Logits]],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its neighbours get the scores that they have without it, and the log has numbers alone."""
    sound = Scorer.load(tiny_bundle.path)
    [bad] = sound.keyword.encoder.encode(["XL"])
    scorer, _ = broken_scorer(tiny_bundle, spoil(int(bad[-2])))
    pool, expected = outcomes(scorer), sound.score(TEXTS)
    assert pool[3] == Refusal(reason)
    for row in (0, 1, 2, 4):
        outcome = pool[row]
        assert isinstance(outcome, Score)
        assert outcome.probabilities == pytest.approx(expected[row].probabilities, abs=1e-5)
    with pytest.raises(InferenceError, match=f"number 3 could not be scored: {reason}"):
        scorer.score(TEXTS)
    assert "nobody" not in caplog.text


def test_out_of_memory_halves_the_batch_and_goes_on(tiny_bundle: Bundle) -> None:
    """Every text is scored, and later batches are small from the start."""

    def fill_up(ids: Ids, logits: Logits) -> Logits:
        if ids.size > 12:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return logits

    scorer, backend = broken_scorer(tiny_bundle, fill_up)
    pool = outcomes(scorer)
    assert all(isinstance(outcome, Score) for outcome in pool)
    assert scorer.keyword.token_budget <= 24
    failures = sum(1 for rows in backend.calls if rows > 4)
    outcomes(scorer)
    assert sum(1 for rows in backend.calls if rows > 4) == failures


def test_a_lost_device_blames_no_text(tiny_bundle: Bundle) -> None:
    """The worker must end, because later calls would fail too."""

    def lose_device(*_: object) -> Logits:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    scorer, backend = broken_scorer(tiny_bundle, lose_device)
    with pytest.raises(DeviceLostError, match="RuntimeError"):
        outcomes(scorer)
    assert len(backend.calls) == 1


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (MemoryError(), "memory"),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"), "memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"), "memory"),
        (RuntimeError("CUDA error: device-side assert triggered"), "device"),
        (RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED"), "device"),
        (IndexError("index out of range in self"), "input"),
    ],
)
def test_failures_are_told_apart(error: Exception, failure: str) -> None:
    """As torch and ONNX Runtime word them."""
    assert tell_failure(error) == failure


def test_a_stage_alone_never_gives_a_label_that_was_not_computed(tiny_bundle: Bundle) -> None:
    """Keywords, sentiments and words of a text that breaks the model are an error, not the first of a row of NaN."""
    scorer = Scorer.load(tiny_bundle.path)
    [bad] = scorer.keyword.encoder.encode(["XL"])
    scorer.keyword.backend = Broken(scorer.keyword.backend, lose(int(bad[-2])))
    scorer.sentiment.backend = Broken(scorer.sentiment.backend, lose(int(bad[-2])))
    name = scorer.taxonomy.keywords[0]
    for stage in (
        lambda: scorer.keyword_probabilities(["배송", "XL"]),
        lambda: scorer.sentiments([("배송", name), ("XL", name)]),
        lambda: scorer.word_effects(["배송", "XL"]),
    ):
        with pytest.raises(InferenceError, match="number 1 could not be computed: not_finite"):
            stage()


def test_where_the_gradient_pass_fails_every_word_is_hidden(
    tiny_bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The highlights are the exact ones then, and nothing is refused."""

    def run_out(*_: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    short = Scorer.load(tiny_bundle.path, shortlist=1)
    monkeypatch.setattr(short.keyword.backend, "mask_slopes", run_out)
    for one, other in zip(short.score(TEXTS), Scorer.load(tiny_bundle.path).score(TEXTS), strict=True):
        assert [found.highlight and found.highlight.start for found in one.keywords] == [
            found.highlight and found.highlight.start for found in other.keywords
        ]
