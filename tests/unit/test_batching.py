"""Batches under a token budget."""

from hypothesis import given
from hypothesis import strategies as st

from reviewlens.inference.batching import plan_batches


@given(st.lists(st.integers(1, 300)), st.integers(1, 1000))
def test_every_input_is_in_one_batch_and_batches_hold_the_budget(lengths: list[int], budget: int) -> None:
    """Longest first, 95% of a batch real; only an input that alone is over the budget makes a batch over it."""
    batches = [batch.tolist() for batch in plan_batches(lengths, budget)]
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    order = [lengths[index] for batch in batches for index in batch]
    assert order == sorted(lengths, reverse=True)
    for batch in batches:
        padded = len(batch) * max(lengths[index] for index in batch)
        assert len(batch) == 1 or padded <= budget
        assert sum(lengths[index] for index in batch) >= 0.95 * padded
