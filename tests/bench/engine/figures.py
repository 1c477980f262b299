"""The figures as pictures."""

from collections.abc import Sequence
from math import floor, log10
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.bench.engine.entries import BASELINES, Row

_OURS, _OTHERS, _BASELINE = "tab:red", "tab:gray", "black"
_STAGES = {"cascade": "keywords, sentiments, highlights", "keyword": "keywords alone"}


def draw_contest(rows: Sequence[Row]) -> Figure:
    """A panel for each model and stage: reviews per second of each contestant, on a logarithmic scale."""
    measured = [row for row in rows if row.reviews_per_second is not None]
    models = list(dict.fromkeys(row.model for row in measured))
    figure = Figure(figsize=(12, 3.2 * len(models)), layout="constrained")
    grid = figure.subplots(len(models), len(_STAGES), squeeze=False)
    for line, model in zip(grid, models, strict=True):
        for axes, stage in zip(line, _STAGES, strict=True):
            _draw_bars(axes, [row for row in measured if (row.model, row.stage) == (model, stage)])
            axes.set_title(f"{model}: {_STAGES[stage]}")
    return figure


def draw_growth(rows: Sequence[dict[str, Any]]) -> Figure:
    """Three panels over the number of reviews: seconds of the job, share of Spark and Delta, memory of a worker."""
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    seconds, shares, memory = figure.subplots(1, 3)
    sizes = [row["reviews"] for row in rows]
    seconds.plot(sizes, [row["seconds"] for row in rows], color=_OURS, marker="o")
    seconds.set_yscale("log")
    seconds.set_title("The whole job, seconds")
    shares.plot(sizes, [row["overhead_share"] for row in rows], color=_OURS, marker="o", label="starter")
    if all(row["base_overhead_share"] is not None for row in rows):
        shares.plot(
            sizes,
            [row["base_overhead_share"] for row in rows],
            color=_BASELINE,
            linestyle="--",
            marker="o",
            label="base size, projected",
        )
    shares.set_ylim(0, 1)
    shares.set_title("Share of Spark and Delta")
    shares.legend()
    memory.plot(sizes, [row["worker_mb"] for row in rows], color=_OURS, marker="o")
    memory.set_ylim(0, 1.1 * max(row["worker_mb"] for row in rows))
    memory.set_title("Memory of a worker, MB")
    for axes in (seconds, shares, memory):
        axes.set_xscale("log")
        axes.set_xlabel("reviews")
        axes.grid(alpha=0.3)
    return figure


def _draw_bars(axes: Axes, rows: Sequence[Row]) -> None:
    rates = [row.reviews_per_second or 0.0 for row in rows]
    colors = [
        _OURS if row.title.startswith("ours") else _BASELINE if row.title == BASELINES[row.stage] else _OTHERS
        for row in rows
    ]
    bars = axes.barh([row.title for row in rows], rates, color=colors)
    axes.bar_label(bars, labels=[f"{rate:,.3g}" for rate in rates], padding=3)
    axes.set_xscale("log")
    if rates:
        axes.set_xlim(10 ** floor(log10(min(rates))), 3 * max(rates))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.invert_yaxis()
    axes.set_xlabel("reviews per second")
