"""Figures of a comparison, as SVG whose text stays text: the fonts are the browser's, and this machine needs none."""

import io
import warnings
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reviewlens.training.faithfulness import SIZES
from reviewlens.training.findings import COMPREHENSIVENESS, KEYWORD_F1, RANDOM, SUFFICIENCY, Finding, select_findings

_CHAMPION, _CHALLENGER, _FAILED, _QUIET = "#6b7280", "#1d4ed8", "#b91c1c", "#9ca3af"
_WIDTH, _MARGIN, _ROW = 7.6, 1.5, 0.27  # inches
_SPACE = {"left": _MARGIN / _WIDTH, "right": 0.97}


def draw_differences(findings: Sequence[Finding], max_loss: float) -> Figure:
    """A forest plot: each keyword's difference of F1 with its interval, the worst first, and the loss allowed."""
    keywords = sorted(select_findings(findings, KEYWORD_F1), key=lambda each: each.difference or 0.0)
    height = _ROW * max(len(keywords), 1) + 0.75
    figure = Figure(figsize=(_WIDTH, height))
    axes = figure.subplots()
    figure.subplots_adjust(top=1 - 0.15 / height, bottom=0.6 / height, **_SPACE)
    for row, each in enumerate(keywords):
        colour = _QUIET if each.passed is None else _CHALLENGER if each.passed else _FAILED
        if each.low is not None and each.high is not None:
            axes.plot([each.low, each.high], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
        axes.plot([each.difference or 0.0], [row], "o", color=colour, markersize=6)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.axvline(-max_loss, color=_FAILED, linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(keywords)), [f"{each.subject} ({each.rows:,})" for each in keywords])
    axes.set_ylim(len(keywords) - 0.5, -0.5)
    axes.set_xlabel("difference of F1, challenger less champion")
    _strip(axes)
    return figure


def draw_faithfulness(findings: Sequence[Finding]) -> Figure:
    """Comprehensiveness and sufficiency against the number of words, each model beside its random words."""
    figure = Figure(figsize=(_WIDTH, 3.3))
    panels = figure.subplots(1, 2, sharey=True)
    figure.subplots_adjust(left=0.09, right=0.98, top=0.9, bottom=0.32, wspace=0.12)
    for axes, measure, words in zip(
        panels,
        (COMPREHENSIVENESS, SUFFICIENCY),
        ("top words hidden: higher is better", "only them left: lower is better"),
        strict=True,
    ):
        for name, style in ((measure, "-o"), (RANDOM + measure, ":s")):
            found = select_findings(findings, name)
            label = "its random words" if name.startswith(RANDOM) else "its top words"
            for who, colour, values in (
                ("champion", _CHAMPION, [each.champion_value for each in found]),
                ("challenger", _CHALLENGER, [each.challenger_value for each in found]),
            ):
                points = [(size, value) for size, value in zip(SIZES, values, strict=True) if value is not None]
                axes.plot(*zip(*points, strict=True), style, color=colour, markersize=4, label=f"{who}, {label}")
        axes.set_title(f"{measure} ({words})", fontsize=9)
        axes.set_xticks(SIZES)
        axes.set_xlabel("words")
        axes.axhline(0, color="black", linewidth=0.8)
        _strip(axes)
    panels[0].set_ylabel("probability taken away")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=2, frameon=False, fontsize=8)
    return figure


def render_svg(figure: Figure, name: str) -> str:
    """The figure as an SVG element to stand inside a page; `name` keeps its ids apart from other figures'."""
    stream = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the browser has it
        figure.savefig(stream, format="svg", metadata={"Date": None})
    svg = stream.getvalue()
    return svg[svg.index("<svg") :]


def _strip(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    axes.grid(axis="x", color="#e5e7eb", linewidth=0.6)
    axes.set_axisbelow(True)
