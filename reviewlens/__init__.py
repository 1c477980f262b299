"""Keywords, sentiments and exact highlights of shop reviews, at lake scale."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reviewlens.inference.results import Highlight, KeywordScore, Score, SentimentScore
    from reviewlens.inference.scorer import Scorer

__all__ = ["Highlight", "KeywordScore", "Score", "Scorer", "SentimentScore"]

_HOMES = {"Scorer": "reviewlens.inference.scorer"}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that `import reviewlens` stays light."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "reviewlens.inference.results")), name)
