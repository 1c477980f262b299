"""A classification head that starts where a logistic regression ends.

The vectors of a pretrained encoder differ little from one another: from a random head the model stays at the class
frequencies for hundreds of steps. So the head's dense layer is set to standardise the first token's vectors, and its
output layer to a logistic regression for each class over the result.
"""

import math
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.utils.data import DataLoader
from transformers import PreTrainedModel

_C = 0.01  # strong: small weights, so that noise in the vectors does not make large logits
_SPREAD = 4.0  # standard deviations per unit of tanh's input: most values stay where tanh is nearly linear


@torch.no_grad()
def start_head(model: PreTrainedModel, batches: DataLoader[dict[str, Any]]) -> None:
    """Set the head of a BERT- or RoBERTa-like sequence classifier, in place, from one pass over labelled batches.

    Args:
        model: has `bert.pooler.dense` and `classifier`, or `classifier.dense` and `classifier.out_proj`.
        batches: `labels` are class indices of shape (batch,), or multi-hot of shape (batch, classes).
    """
    model.eval()
    vectors, labels = [], []
    for batch in batches:
        states = model.base_model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        vectors.append(states.last_hidden_state[:, 0])
        labels.append(batch["labels"])
    first_token, truth = torch.cat(vectors), torch.cat(labels).numpy()

    scale = _SPREAD * first_token.std(dim=0).clamp_min(1e-6)
    dense, out = _head_layers(model)
    dense.weight.copy_(torch.diag(1 / scale))
    dense.bias.copy_(-first_token.mean(dim=0) / scale)
    pooled = torch.tanh(dense(first_token)).numpy()

    if truth.ndim == 1:
        truth = np.eye(out.out_features)[truth]
    for row, column in enumerate(truth.T):
        positive = int(column.sum())
        if 0 < positive < len(column):
            fit = LogisticRegression(C=_C, max_iter=300).fit(pooled, column)
            out.weight[row], out.bias[row] = torch.from_numpy(fit.coef_[0]), float(fit.intercept_[0])
        else:  # a class that is never, or always, there: its smoothed frequency
            out.weight[row], out.bias[row] = 0.0, math.log((positive + 0.5) / (len(column) - positive + 0.5))


def _head_layers(model: PreTrainedModel) -> tuple[nn.Linear, nn.Linear]:
    if hasattr(model, "bert"):
        return model.bert.pooler.dense, model.classifier
    return model.classifier.dense, model.classifier.out_proj
