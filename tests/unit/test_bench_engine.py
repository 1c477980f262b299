"""The benchmark's own arithmetic: agreement of labels, and floating-point operations."""

from typing import Any

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertForSequenceClassification, RobertaConfig, RobertaForSequenceClassification

from reviewlens.inference.backends.first_token import read_first_token
from tests.bench.engine.agreement import Agreement, compare_labels
from tests.bench.engine.labels import Found, Labels
from tests.bench.engine.work import forward_flops

_SHAPE = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 40,
    "max_position_embeddings": 64,
    "num_labels": 5,
}


def test_agreement_counts_every_decision_and_judges_what_both_found() -> None:
    """One keyword too many and one too few are two of 2 × 10 decisions; of the two in common one highlight differs."""
    reference: list[Labels] = [
        {"배송": Found("긍정", 0, 3), "가격": Found("부정")},
        {"소재": Found("중립", 4, 6)},
    ]
    labels: list[Labels] = [{"배송": Found("부정", 0, 3), "가격": Found("부정", 2, 5)}, {"색상": Found("중립", 4, 6)}]
    assert compare_labels(reference, labels, 10, "cascade") == Agreement(0.9, 0.5, 0.5, 2)
    assert compare_labels(reference, labels, 10, "keyword") == Agreement(0.9, None, None, 2)


@pytest.mark.parametrize(
    ("family", "config"),
    [(BertForSequenceClassification, BertConfig), (RobertaForSequenceClassification, RobertaConfig)],
)
def test_the_formula_counts_what_torch_counts(family: Any, config: Any) -> None:
    """The model is the one that scoring runs: its last layer computes the first token alone."""
    model = read_first_token(family(config(**_SHAPE)).eval())
    for tokens in (2, 17):
        # The fused attention of CPUs is not in the counter's table.
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            model(input_ids=torch.full((1, tokens), 7))
        assert counter.get_total_flops() == forward_flops(model.config, tokens)
