"""Backends: the same logits, and the right choice."""

import numpy as np
import pytest

from reviewlens import Scorer
from reviewlens.bundle import Bundle
from reviewlens.errors import ConfigError
from reviewlens.inference.autotune import tune
from reviewlens.inference.backends import Ids
from reviewlens.inference.backends.choice import choose_backend
from reviewlens.inference.backends.torch_model import TorchModel, read_model

BF16, VNNI = {"avx512_bf16"}, {"avx512_vnni"}


@pytest.mark.parametrize(
    ("asked", "device", "onnx", "flags", "expected"),
    [
        (("auto", "auto"), "cpu", ["float32", "int8"], BF16 | VNNI, ("torch", "bfloat16")),
        (("auto", "auto"), "cpu", ["float32", "int8"], VNNI, ("onnx", "int8")),
        (("auto", "auto"), "cpu", ["float32", "int8"], set(), ("onnx", "float32")),
        (("auto", "auto"), "cpu", [], VNNI, ("torch", "float32")),
        (("auto", "auto"), "cuda:0", ["int8"], VNNI, ("torch", "bfloat16")),
        (("torch", "auto"), "cpu", ["int8"], VNNI, ("torch", "float32")),
        (("onnx", "auto"), "cpu", ["float32", "int8"], BF16 | VNNI, ("onnx", "int8")),
        (("auto", "int8"), "cpu", ["int8"], BF16, ("onnx", "int8")),
        (("auto", "float32"), "cpu", [], BF16, ("torch", "float32")),
        (("auto", "bfloat16"), "cpu", [], set(), ("torch", "bfloat16")),
    ],
)
def test_auto_takes_the_fastest_that_is_there(
    asked: tuple[str, str], device: str, onnx: list[str], flags: set[str], expected: tuple[str, str]
) -> None:
    """What is given stays; the rest follows the bundle and the machine."""
    assert choose_backend(*asked, device, onnx, flags) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "device"), [(("torch", "int8"), "cpu"), (("onnx", "auto"), "cpu"), (("onnx", "float32"), "cuda:0")]
)
def test_what_cannot_run_is_an_error(asked: tuple[str, str], device: str) -> None:
    """Never a silent other choice."""
    with pytest.raises(ConfigError, match=r"cannot run on c.*optimize_model"):
        choose_backend(*asked, device, [], BF16)  # type: ignore[arg-type]


def test_the_last_layer_for_the_first_token_gives_the_whole_models_logits(tiny_bundle: Bundle) -> None:
    """With padding and without; and the states of all tokens are still to be had."""
    import torch

    path = tiny_bundle.path / "keyword"
    model, whole = TorchModel(path, "cpu", "float32"), read_model(path, torch.float32)
    ids = np.array([[0, 7, 8, 9, 2], [0, 10, 2, 1, 1]], dtype=np.int64)
    for mask in (np.ones_like(ids), (ids != 1).astype(np.int64)):
        inputs = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        with torch.no_grad():
            logits = whole(**inputs).logits
            states = whole.base_model(**inputs).last_hidden_state
        np.testing.assert_allclose(model.logits(ids, mask), logits.numpy(), atol=1e-5)
        pooled = [row[here.astype(bool)].mean(axis=0) for row, here in zip(states.numpy(), mask, strict=True)]
        np.testing.assert_allclose(model.mean_states(ids, mask), pooled, atol=1e-5)


def test_slopes_foretell_what_a_mask_does(tiny_bundle: Bundle) -> None:
    """They are the derivative of the logit along the step from a token's embedding to the mask's, half-way."""
    import torch

    model = TorchModel(tiny_bundle.path / "keyword", "cpu", "float32")
    ids = np.array([[0, 7, 8, 9, 2]], dtype=np.int64)
    hideable = np.array([[0, 1, 1, 1, 0]])
    slopes = model.mask_slopes(ids, np.ones_like(ids), hideable, np.array([[3, 5]]), 4, at=0.5)
    embed = model.model.get_input_embeddings()
    here, mask = embed(torch.from_numpy(ids)), embed(torch.tensor(4))
    steps = (mask - here) * torch.from_numpy(hideable).unsqueeze(-1)
    here = here + 0.5 * steps
    for token in range(ids.shape[1]):
        moved = here.clone()
        moved[0, token] += 1e-3 * steps[0, token]
        with torch.no_grad():
            change = (model.model(inputs_embeds=moved).logits - model.model(inputs_embeds=here).logits) / 1e-3
        np.testing.assert_allclose(slopes[0, :, token], change[0, [3, 5]].numpy(), atol=0.02)


def test_a_shortlist_of_all_words_is_exact_and_a_short_one_costs_less(tiny_bundle: Bundle) -> None:
    """Words that are not measured are never the highlight; those that are have their exact probability."""
    texts = ["배송 늦어요 예쁘 디자인 XL abc", "예쁘 배송", "늦어요!! 예쁘\n배송"]
    exact, short, long = (Scorer.load(tiny_bundle.path, shortlist=words) for words in (None, 1, 9))
    (reference, work), (found, less) = next(exact.score_pools([texts])), next(short.score_pools([texts]))
    assert long.score(texts) == reference
    assert less.inputs < work.inputs
    for score, effects in zip(found, exact.word_effects(texts), strict=True):
        for keyword in score.keywords:  # type: ignore[union-attr]
            column = exact.taxonomy.keywords.index(keyword.keyword)
            if keyword.highlight is not None:
                [index] = [row for row, word in enumerate(effects.words) if word.start == keyword.highlight.start]
                assert keyword.highlight.probability_without == pytest.approx(effects.without[index, column], abs=1e-5)


class Paced:
    """A backend that takes a given time for a token, and a given time for a batch, on the clock of the test."""

    name, dtype, device = "torch", "float32", "cpu"

    def __init__(self, clock: list[float], seconds: dict[int, float]) -> None:
        self.threads, self._clock, self._seconds = 4, clock, seconds

    def logits(self, ids: Ids, mask: Ids) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        assert ids.shape == mask.shape
        self._clock[0] += self._seconds[ids.size] / (1 if self.threads == 1 else 1.8)
        return np.zeros((len(ids), 1), np.float32)

    def use_threads(self, threads: int) -> None:
        self.threads = threads


def test_tuning_takes_the_budget_and_the_threads_that_are_clearly_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest within some percent of the best; two threads here are as fast as four."""
    clock = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    backend = Paced(clock, {1_024: 1.0, 2_048: 1.5, 4_096: 2.95, 8_192: 9.0})
    assert tune(backend, 5, 4) == 2_048  # type: ignore[arg-type]
    assert backend.threads == 2
