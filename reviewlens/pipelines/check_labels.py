"""A round's labels are checked: do people agree, what do they confuse, who stands apart, what does the model deny?"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reviewlens.config import CheckLabelsConfig
from reviewlens.display import print_line
from reviewlens.errors import QualityGateError
from reviewlens.labeling.agreement import (
    Alpha,
    Confusion,
    Contradiction,
    Opinion,
    Standing,
    combine_alphas,
    confuse_keywords,
    confuse_sentiments,
    find_contradictions,
    group_opinions,
    judge_annotators,
    measure_keywords,
    measure_sentiments,
)
from reviewlens.labeling.answers import hash_answers, hold_taxonomy
from reviewlens.spark.label_quality import (
    Figure,
    Verdict,
    read_answers,
    read_probabilities,
    read_verdicts,
    write_check,
)
from reviewlens.spark.tables import TableRef, create_tables
from reviewlens.taxonomy import Taxonomy, read_taxonomy

_TOP = 5


@dataclass(frozen=True, slots=True)
class Quality:
    """What a check found. `double` of the `reviews` were labelled by two people or more."""

    answers: int
    reviews: int
    double: int
    keywords: Mapping[str, Alpha]
    overall: Alpha
    sentiments: Alpha
    keyword_confusions: Sequence[Confusion]
    sentiment_confusions: Sequence[Confusion]
    standings: Sequence[Standing]
    contradictions: Sequence[Contradiction]


@dataclass(frozen=True, slots=True)
class Gate:
    """A figure that the round must reach; one that is not defined has nothing against the round."""

    measure: str
    value: float | None
    rows: int
    floor: float
    fault: str

    @property
    def passed(self) -> bool:
        """Whether the figure reaches its floor."""
        return self.value is None or self.value >= self.floor


def run(spark: SparkSession, config: CheckLabelsConfig, console: Console, now: datetime | None = None) -> Quality:
    """Check a round, write every figure down, and refuse the round when one is under its floor.

    Raises:
        InputContractError: the round has no labels, or they are of another taxonomy.
        QualityGateError: the round is refused; the figures are written.
    """
    taxonomy, target = read_taxonomy(config.taxonomy), TableRef.parse(config.target)
    answers, _ = read_answers(spark, target, (config.round,))
    hold_taxonomy(answers, taxonomy)
    opinions = [
        Opinion(each.review_id, each.annotator, {label.keyword: label.sentiment for label in each.labels})
        for each in answers
    ]
    probabilities = read_probabilities(spark, target, config.round)
    quality = _judge(opinions, probabilities, taxonomy, config.contradiction, config.annotator_gap, config.min_shared)
    gates = _gates(quality, config.min_double, config.min_alpha, config.min_sentiment_alpha)

    labels_hash = hash_answers(answers)
    settings = config.model_dump(mode="json", exclude={"target", "taxonomy"})
    check_id = _identify(labels_hash, settings, taxonomy, probabilities)
    verdict = Verdict(check_id, labels_hash, all(gate.passed for gate in gates))
    [quality_table] = create_tables(spark, target, ("label_quality",)).values()
    is_new = read_verdicts(spark, quality_table).get(config.round) != verdict
    if is_new:
        figures = [*_figures(quality, gates)]
        write_check(
            spark, quality_table, config.round, verdict, figures, len(answers), now or datetime.now().astimezone()
        )
    _show(config.round, quality, verdict, gates, console, is_new=is_new)
    _hold_gates(config.round, gates)
    return quality


def _judge(
    opinions: Sequence[Opinion],
    probabilities: Mapping[str, Mapping[str, float]],
    taxonomy: Taxonomy,
    contradiction: float,
    gap: float,
    min_shared: int,
) -> Quality:
    groups = group_opinions(opinions)
    keywords = measure_keywords(groups, taxonomy.keywords)
    return Quality(
        answers=len(opinions),
        reviews=len({opinion.review_id for opinion in opinions}),
        double=len(groups),
        keywords=keywords,
        overall=combine_alphas(keywords.values()),
        sentiments=measure_sentiments(groups, taxonomy),
        keyword_confusions=confuse_keywords(groups),
        sentiment_confusions=confuse_sentiments(groups),
        standings=judge_annotators(groups, taxonomy.keywords, gap, min_shared),
        contradictions=find_contradictions(opinions, probabilities, contradiction),
    )


def _gates(quality: Quality, min_double: int, min_alpha: float, min_sentiment_alpha: float) -> list[Gate]:
    overall, sentiments = quality.overall, quality.sentiments
    return [
        Gate(
            "double_labelled",
            float(quality.double),
            quality.reviews,
            float(min_double),
            f"{quality.double:,} of {quality.reviews:,} reviews were labelled by two people or more, and min_double "
            f"asks for {min_double:,}: have more labelled by a second person",
        ),
        Gate(
            "keywords_alpha",
            overall.value,
            overall.units,
            min_alpha,
            f"alpha over all keywords is {_say(overall)}, under min_alpha {min_alpha:g}",
        ),
        Gate(
            "sentiments_alpha",
            sentiments.value,
            sentiments.units,
            min_sentiment_alpha,
            f"alpha over the sentiments is {_say(sentiments)}, under min_sentiment_alpha {min_sentiment_alpha:g}",
        ),
    ]


def _identify(
    labels_hash: str, settings: dict[str, Any], taxonomy: Taxonomy, probabilities: Mapping[str, Mapping[str, float]]
) -> str:
    """Hash of all that a check follows from."""
    parts = [labels_hash, settings, taxonomy.model_dump(mode="json"), probabilities]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _figures(quality: Quality, gates: Sequence[Gate]) -> Iterator[Figure]:
    undefined = {"keywords_alpha": quality.overall.undefined, "sentiments_alpha": quality.sentiments.undefined}
    for gate in gates:
        detail = undefined.get(gate.measure)
        yield Figure(gate.measure, None, gate.value, gate.rows, gate.floor, gate.passed, detail)
    for keyword, alpha in quality.keywords.items():
        yield Figure("keyword_alpha", keyword, alpha.value, alpha.units, detail=alpha.undefined)
    for measure, confusions in (
        ("keyword_confusion", quality.keyword_confusions),
        ("sentiment_confusion", quality.sentiment_confusions),
    ):
        for each in confusions:
            yield Figure(measure, " / ".join(each.names), each.share, each.count)
    for standing in quality.standings:
        detail = "disagrees with all others" if standing.disagrees else standing.alpha.undefined
        yield Figure("annotator_alpha", standing.annotator, standing.alpha.value, standing.shared, detail=detail)
        yield Figure("others_alpha", standing.annotator, standing.others.value, standing.others.units)
    yield Figure("contradictions", None, float(len(quality.contradictions)), quality.answers)
    for found in quality.contradictions:
        said = f"{found.keyword}: {'given' if found.is_given else 'not given'} by {', '.join(found.annotators)}"
        yield Figure("contradiction", found.review_id, found.probability, len(found.annotators), detail=said)


def _show(
    round_name: str, quality: Quality, verdict: Verdict, gates: Sequence[Gate], console: Console, *, is_new: bool
) -> None:
    """Print the check as tables for people and a JSON line for machines."""
    _show_agreement(round_name, quality, console)
    _show_confusions(quality, console)
    _show_annotators(quality.standings, console)
    _show_contradictions(quality.contradictions, console)
    if not is_new:
        console.print(f"Nothing written: check {verdict.check_id} of these labels stands in label_quality already.")
    if verdict.passed:
        console.print(f"Round {round_name} passed.", highlight=False, markup=False)
    line = {
        "event": "check_labels",
        "status": "checked" if is_new else "unchanged",
        "round": round_name,
        "check_id": verdict.check_id,
        "passed": verdict.passed,
        "answers": quality.answers,
        "reviews": quality.reviews,
        **{gate.measure: gate.value for gate in gates},
        "disagreeing": [each.annotator for each in quality.standings if each.disagrees],
        "contradictions": len(quality.contradictions),
    }
    print_line(console, line)


def _show_agreement(round_name: str, quality: Quality, console: Console) -> None:
    told = f"{quality.answers:,} answers on {quality.reviews:,} reviews, {quality.double:,} by two people or more"
    table = Table("keyword", title=f"round {round_name}: {told}", title_justify="left")
    table.add_column("alpha", justify="right")
    table.add_column("judged twice", justify="right")
    for keyword, alpha in quality.keywords.items():
        table.add_row(Text(keyword), _say(alpha), f"{alpha.units:,}")
    table.add_section()
    table.add_row("all keywords", _say(quality.overall), f"{quality.overall.units:,}")
    table.add_row("sentiments", _say(quality.sentiments), f"{quality.sentiments.units:,}")
    console.print(table)


def _show_confusions(quality: Quality, console: Console) -> None:
    worst = [*quality.keyword_confusions[:_TOP], *quality.sentiment_confusions[:_TOP]]
    if worst:
        table = Table("one gave", "another gave", title="most often confused", title_justify="left")
        for name in ("times", "of those with either"):
            table.add_column(name, justify="right")
        for each in worst:
            table.add_row(Text(each.names[0]), Text(each.names[1]), f"{each.count:,}", f"{each.share:.0%}")
        console.print(table)


def _show_annotators(standings: Sequence[Standing], console: Console) -> None:
    if standings:
        table = Table("annotator", title="agreement with the rest", title_justify="left")
        for name in ("shared reviews", "alpha", "the rest's alpha"):
            table.add_column(name, justify="right")
        for each in standings:
            figures = (f"{each.shared:,}", _say(each.alpha), _say(each.others))
            table.add_row(Text(each.annotator), *figures, style="bold red" if each.disagrees else "")
        console.print(table)
    for each in standings:
        if each.disagrees:
            console.print(
                Text(f"{each.annotator} disagrees with all others: have these answers looked at, or given again.")
            )


def _show_contradictions(contradictions: Sequence[Contradiction], console: Console) -> None:
    counts = Counter(each.keyword for each in contradictions)
    told = ", ".join(f"{keyword} {count:,}" for keyword, count in counts.most_common())
    console.print(Text(f"The model contradicts {len(contradictions):,} labels{f': {told}' if told else ''}."))
    for each in contradictions[:_TOP]:
        said = "given" if each.is_given else "not given"
        console.print(Text(f"  {each.review_id}: {each.keyword} {said}, probability {each.probability:.3f}"))


def _say(alpha: Alpha) -> str:
    return f"{alpha.value:.3f}" if alpha.value is not None else f"none: {alpha.undefined}"


def _hold_gates(round_name: str, gates: Sequence[Gate]) -> None:
    faults = [gate.fault for gate in gates if not gate.passed]
    if faults:
        raise QualityGateError(
            f"Round {round_name} is refused: {'; '.join(faults)}. The figures are in label_quality. Settle what is "
            "confused, have the reviews labelled again, import them, and check again."
        )
