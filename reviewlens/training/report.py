"""A comparison as one HTML page that needs nothing beside it: the verdict first. No review's text is on it."""

import json
from collections.abc import Sequence
from pathlib import Path

import jinja2

from reviewlens.training.figures import draw_differences, draw_faithfulness, render_svg
from reviewlens.training.findings import COMPREHENSIVENESS, Contest, Finding, select_findings, verdict_of
from reviewlens.training.wording import FIGURE_COLUMNS, NIGHT_COLUMNS, figure_cells, night_cells, say_verdict

_TEMPLATE = "report.html.jinja"


def write_report(file: Path, contest: Contest, findings: Sequence[Finding], notes: Sequence[str]) -> None:
    """Write the page, and the folder that it stands in."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(render_report(contest, findings, notes), encoding="utf-8")


def render_report(contest: Contest, findings: Sequence[Finding], notes: Sequence[str]) -> str:
    """The page: verdict, gates, figures, tables, and how to read them."""
    settings = json.loads(contest.settings)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    has_highlights = any(each.rows for each in select_findings(findings, COMPREHENSIVENESS))
    return environment.get_template(_TEMPLATE).render(
        contest=contest,
        settings=settings,
        notes=notes,
        passed=verdict_of(findings).passed,
        verdict=say_verdict(findings),
        columns=FIGURE_COLUMNS,
        gates=figure_cells([each for each in findings if each.passed is not None]),
        others=figure_cells([each for each in findings if each.passed is None]),
        night_columns=NIGHT_COLUMNS,
        night=night_cells(findings),
        differences=render_svg(draw_differences(findings, settings["max_keyword_loss"]), "differences"),
        faithfulness=render_svg(draw_faithfulness(findings), "faithfulness") if has_highlights else None,
    )
