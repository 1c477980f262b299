"""A round as a picture: malls and their quotas, reasons, their overlap, and the lengths of the texts."""

import json
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from reviewlens.sampling.criteria import CRITERIA
from reviewlens.sampling.selection import RANDOM
from reviewlens.sampling.typeface import can_write, find_families, pick_words

_COLORS = {
    RANDOM: "#8a8f98",
    "keyword": "#3b6fb6",
    "sentiment": "#d9822b",
    "rarity": "#5b9e6f",
    "outlier": "#b0527a",
}
_POOL, _INK, _FAINT = "#c9ced6", "#2b2f36", "#e6e8ec"
_FEW_MALLS = 12
_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000)
_STYLE: dict[Any, Any] = {
    "axes.edgecolor": "#b7bcc4",
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 13,
    "axes.unicode_minus": False,
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def draw_round(pool: pd.DataFrame, picks: pd.DataFrame) -> Figure:
    """Draw a round; nothing of pyplot's state is touched, so a page may draw several at once.

    Labels are Korean where this machine has a font for it, otherwise English; a mall whose name cannot be written gets
    its rank instead.

    Args:
        pool: columns stratum, population and text, a row for each review of the pool.
        picks: columns round, stratum, quota, text, is_random, reason and reasons, a row for each pick.
    """
    with mpl.rc_context({**_STYLE, "font.family": list(find_families())}):
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12, wspace=0.03, hspace=0.05)
        figure = Figure(figsize=(13, 9.5), layout=layout, facecolor="white")
        grid = figure.subplots(2, 2)
        malls = _count_malls(pool, picks)
        figure.suptitle(_write_title(pool, picks, len(malls)), x=0.012, ha="left", fontsize=16)
        if len(malls) <= _FEW_MALLS:
            _draw_few_malls(grid[0, 0], malls)
        else:
            _draw_many_malls(grid[0, 0], malls)
        _draw_reasons(grid[0, 1], picks)
        _draw_overlap(grid[1, 0], picks)
        _draw_lengths(grid[1, 1], pool, picks)
    return figure


def name_stratum(stratum: str) -> str:
    """A stratum's values, which the pool holds as a JSON array, as people read them."""
    return " · ".join("–" if value is None else str(value) for value in json.loads(stratum))


def _write_title(pool: pd.DataFrame, picks: pd.DataFrame, malls: int) -> str:
    name = str(picks["round"].iloc[0]) if len(picks) else "-"
    title = pick_words(
        f"회차 {{}}: 몰 {malls:,}곳의 리뷰 {len(pool):,}건에서 {len(picks):,}건 선정",
        f"Round {{}}: {len(picks):,} picks from {len(pool):,} reviews of {malls:,} mall{'s' * (malls != 1)}",
    )
    return title.format(name if can_write(name) else ascii(name)[1:-1])


def _count_malls(pool: pd.DataFrame, picks: pd.DataFrame) -> pd.DataFrame:
    """A row for each stratum, the largest first: population, quota and picks."""
    malls = pool.groupby("stratum").agg(population=("population", "first"))
    malls["quota"] = picks.groupby("stratum")["quota"].first().reindex(malls.index, fill_value=0)
    malls["picks"] = picks["stratum"].value_counts().reindex(malls.index, fill_value=0)
    return malls.sort_values("population", ascending=False, kind="stable")


def _draw_few_malls(axes: Axes, malls: pd.DataFrame) -> None:
    """Two bars for each mall: its share of the population and of the quotas."""
    axes.set_title(pick_words("몰별 모집단과 할당", "Malls: population against quota"))
    rows = np.arange(len(malls))
    measured = (
        ("population", _POOL, pick_words("모집단", "population")),
        ("quota", _COLORS["keyword"], pick_words("할당", "quota")),
    )
    for offset, (column, color, label) in zip((-0.19, 0.19), measured, strict=True):
        counts = malls[column].to_numpy()
        shares = 100 * counts / max(1, counts.sum())
        axes.barh(rows + offset, shares, height=0.36, color=color, label=label)
        for row, share, count in zip(rows, shares, counts, strict=True):
            axes.annotate(
                f"{count:,}", (share, row + offset), (4, 0), textcoords="offset points", va="center", fontsize=9
            )
    names = [name_stratum(each) for each in malls.index]
    labels = [_shorten(name) if can_write(name) else f"#{rank}" for rank, name in enumerate(names, start=1)]
    axes.set_yticks(rows, labels)
    middle, half = (len(malls) - 1) / 2, max(len(malls), 3) / 2 + 0.1
    axes.set_ylim(middle + half, middle - half)
    axes.margins(x=0.14)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}%"))
    axes.set_xlabel(pick_words("비율", "share of all"))
    axes.tick_params(axis="y", length=0)
    axes.legend(frameon=False, loc="lower right")


def _draw_many_malls(axes: Axes, malls: pd.DataFrame) -> None:
    """A point for each pair of population and quota; its area grows with the malls that share it."""
    axes.set_title(pick_words("몰별 모집단과 할당", "Malls: population against quota"))
    pairs = malls.groupby(["population", "quota"]).size().reset_index(name="malls")
    ends = np.array([malls["population"].min(), malls["population"].max()])
    line = np.geomspace(max(1, ends[0]), max(1, ends[1]), 200)
    exact = line * malls["quota"].sum() / malls["population"].sum()
    axes.plot(line, exact, color=_INK, linewidth=1, linestyle=(0, (4, 3)), label=pick_words("정비례", "in proportion"))
    axes.scatter(
        pairs["population"],
        pairs["quota"],
        s=18 + 10 * np.log2(pairs["malls"]),
        color=_COLORS["keyword"],
        alpha=0.55,
        linewidths=0,
        label=pick_words("몰", "malls"),
        clip_on=False,
    )
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1, linscale=0.5)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(FixedLocator([0, *(10**power for power in range(7))]))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axis.set_minor_formatter(NullFormatter())
    axes.grid(color=_FAINT)
    axes.set_axisbelow(True)
    axes.set_xlabel(pick_words("모집단 (리뷰 수)", "population (reviews)"))
    axes.set_ylabel(pick_words("할당 (건)", "quota (picks)"))
    none = int((malls["quota"] == 0).sum())
    note = pick_words(f"할당 없는 몰 {none:,}곳", f"{none:,} malls without a pick")
    axes.legend(frameon=False, loc="upper left", title=note if none else None, alignment="left")


def _draw_reasons(axes: Axes, picks: pd.DataFrame) -> None:
    """A bar for each reason: the picks that it took, and those that it would have had a reason for."""
    axes.set_title(pick_words("선정 사유", "Why they were picked"))
    names = [RANDOM, *CRITERIA]
    took = np.array([(picks["reason"] == name).sum() for name in names])
    has = np.array([sum(name in reasons for reasons in picks["reasons"]) for name in names])
    rows = np.arange(len(names))
    axes.barh(rows, took, color=[_COLORS[name] for name in names], height=0.62)
    axes.barh(rows, has - took, left=took, color=[_COLORS[name] for name in names], height=0.62, alpha=0.3)
    also = pick_words("+{:,}건 더 해당", "+{:,} more stand out")
    for row, one, all_of in zip(rows, took, has, strict=True):
        more = f"   {also.format(all_of - one)}" if all_of > one else ""
        axes.annotate(f"{one:,}{more}", (all_of, row), (6, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(rows, [_name_reason(name) for name in names])
    axes.invert_yaxis()
    axes.margins(x=0.34)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlabel(pick_words("건 (진한 색: 이 사유로 선정)", "picks (full colour: taken for this reason)"))
    axes.tick_params(axis="y", length=0)


def _draw_overlap(axes: Axes, picks: pd.DataFrame) -> None:
    """How many picks have each pair of reasons; the diagonal counts all that have the one."""
    axes.set_title(pick_words("사유의 겹침", "Reasons that came together"))
    names = [RANDOM, *CRITERIA]
    has = np.array([[name in reasons for name in names] for reasons in picks["reasons"]], dtype=int).reshape(-1, 5)
    together = has.T @ has
    shares = together / np.maximum(1, np.minimum.outer(together.diagonal(), together.diagonal()))
    shown = np.ma.masked_where(np.eye(len(names), dtype=bool), shares)
    axes.imshow(shown, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row in range(len(names)):
        for column in range(len(names)):
            is_dark = row != column and shares[row, column] > 0.6  # noqa: PLR2004
            color = "white" if is_dark else _INK
            axes.text(column, row, f"{together[row, column]:,}", ha="center", va="center", color=color)
    labels = [_name_reason(name) for name in names]
    axes.set_xticks(range(len(names)), labels)
    axes.set_yticks(range(len(names)), labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(pick_words("건 (대각선: 사유별 전체)", "picks with both (diagonal: all with the reason)"))


def _draw_lengths(axes: Axes, pool: pd.DataFrame, picks: pd.DataFrame) -> None:
    """Share of the texts by length, for the pool, the random picks and the chosen ones."""
    axes.set_title(pick_words("리뷰 길이", "Length of the texts"))
    is_random = picks["is_random"].to_numpy(dtype=bool)
    groups = (
        (pool["text"], pick_words("풀", "pool")),
        (picks["text"][is_random], pick_words("무작위", "random picks")),
        (picks["text"][~is_random], pick_words("선별", "chosen picks")),
    )
    lengths = [texts.str.len().clip(lower=1).to_numpy() for texts, _ in groups]
    longest = max((int(each.max()) for each in lengths if len(each)), default=1)
    shortest = min((int(each.min()) for each in lengths if len(each)), default=1)
    bins = np.geomspace(max(1, shortest * 0.8), longest * 1.25 + 1, 22)
    colors = (_POOL, _COLORS[RANDOM], _COLORS["keyword"])
    for (_, label), measured, color in zip(groups, lengths, colors, strict=True):
        if not len(measured):
            continue
        weights = np.full(len(measured), 100 / len(measured))
        kind = "stepfilled" if color == _POOL else "step"
        legend = f"{label} ({pick_words('중앙값', 'median')} {np.median(measured):,.0f})"
        axes.hist(measured, bins, weights=weights, histtype=kind, color=color, linewidth=1.8, label=legend)  # type: ignore[arg-type]
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(_LENGTHS))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", which="minor", length=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}%"))
    axes.set_xlabel(pick_words("글자 수", "characters"))
    axes.set_ylabel(pick_words("비율", "share of the texts"))
    axes.legend(frameon=False)


def _name_reason(name: str) -> str:
    korean = {
        RANDOM: "무작위",
        "keyword": "키워드 경계",
        "sentiment": "감성 불확실",
        "rarity": "희귀 표현",
        "outlier": "이상치",
    }
    english = {RANDOM: "random", "keyword": "keyword\nboundary", "sentiment": "sentiment\nunsure"}
    return pick_words(korean[name], english.get(name, name))


def _shorten(name: str, limit: int = 18) -> str:
    return name if len(name) <= limit else name[: limit - 1] + "…"
