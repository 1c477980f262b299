"""The simulation as a picture: what labels buy, and what each reason finds."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_LINES: dict[str, dict[str, Any]] = {
    "random": {"color": "black", "linewidth": 2.5},
    "selection": {"color": "tab:red", "linewidth": 2.5},
    "outlier alone": {"color": "tab:purple"},  # the cycle's own colour would be red
}
_SHADED = ("random", "selection")


def draw_curves(figures: pd.DataFrame, picks: pd.DataFrame) -> Figure:
    """Three panels: both macro-F1 by labels spent, and how often the model erred about the picks of each reason.

    Args:
        figures: arm, seed, labels, keyword_macro_f1, sentiment_macro_f1.
        picks: reason, wrong_keywords.
    """
    figure = Figure(figsize=(14, 4.5), layout="constrained")
    keywords, sentiments, errors = figure.subplots(1, 3, width_ratios=[3, 3, 2])
    _draw_arms(keywords, figures, "keyword_macro_f1")
    keywords.set_title("Keywords, held-out part")
    keywords.legend()
    _draw_arms(sentiments, figures, "sentiment_macro_f1")
    sentiments.set_title("Sentiments of true keywords, held-out part")
    share = picks.groupby("reason")["wrong_keywords"].agg(lambda wrong: (wrong > 0).mean()).sort_values()
    errors.barh(share.index, share, color=["black" if name == "random" else "tab:red" for name in share.index])
    errors.set_title("Picks the model was wrong about")
    errors.set_xlabel("share")
    return figure


def _draw_arms(axes: Axes, figures: pd.DataFrame, measure: str) -> None:
    """A line for each arm, the mean over its seeds; the range of the seeds is shaded for the two that matter most."""
    for arm, rows in figures.groupby("arm", sort=False):
        points = rows.groupby("labels")[measure].agg(["mean", "min", "max"])
        [line] = axes.plot(
            points.index, points["mean"], label=arm, marker="o", markersize=3, **_LINES.get(str(arm), {})
        )
        if arm in _SHADED:
            axes.fill_between(points.index, points["min"], points["max"], color=line.get_color(), alpha=0.15)
    axes.set_xlabel("reviews labelled")
    axes.set_ylabel("macro F1")
    axes.grid(alpha=0.3)
