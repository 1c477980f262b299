"""The last encoder layer, computed for the first token alone, because the classifier reads no other."""

from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

_FAMILY = ("bert", "roberta", "xlm-roberta", "camembert", "electra")  # the same layer under five names


class FirstTokenLayer(nn.Module):
    """Wraps an encoder's last layer: keys and values of all tokens; query, projection and feed-forward of the first.

    It gives states of shape (rows, 1, hidden) that equal the first of the whole layer's but for rounding, and saves
    most of one layer of the encoder. With `whole` it gives all of them.
    """

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.whole = False

    def forward(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, *args: Any, **kwargs: Any
    ) -> torch.Tensor:
        """States of shape (rows, 1, hidden) of states of shape (rows, tokens, hidden)."""
        layer: Any = self.layer
        if self.whole:
            states: torch.Tensor = layer(hidden_states, attention_mask, *args, **kwargs)
            return states
        attention = layer.attention.self
        first, size = hidden_states[:, :1], attention.attention_head_size

        def heads(states: torch.Tensor) -> torch.Tensor:
            return states.view(*states.shape[:2], -1, size).transpose(1, 2)

        attended = nn.functional.scaled_dot_product_attention(
            heads(attention.query(first)),
            heads(attention.key(hidden_states)),
            heads(attention.value(hidden_states)),
            attn_mask=None if attention_mask is None else attention_mask[..., :1, :],
        )
        read: torch.Tensor = layer.feed_forward_chunk(
            layer.attention.output(attended.transpose(1, 2).flatten(2), first)
        )
        return read


def read_first_token(model: PreTrainedModel) -> PreTrainedModel:
    """Let `model`, a sequence classifier, compute only what its classifier reads; other families stay as they are."""
    if model.config.model_type in _FAMILY:
        layers = model.base_model.encoder.layer
        layers[-1] = FirstTokenLayer(layers[-1])
    return model
