"""Answers: what people said of reviews, as it is stored; and whether it is said in the taxonomy in use."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from reviewlens.errors import InputContractError
from reviewlens.labeling.labels import KeywordLabel
from reviewlens.taxonomy import Taxonomy


@dataclass(frozen=True, slots=True)
class Answer:
    """One person's labels of one review. `labelled_at` is in microseconds since 1970."""

    round: str
    review_id: str
    mall_id: str | None
    text: str
    annotator: str
    labels: tuple[KeywordLabel, ...]
    is_random: bool
    taxonomy_version: str | None
    labelled_at: int


def hold_taxonomy(answers: Iterable[Answer], taxonomy: Taxonomy) -> None:
    """Hold that all answers were given in this taxonomy: a keyword that was not there to choose was not denied.

    Raises:
        InputContractError: names each round that was not, its taxonomy, and what this one does not know.
    """
    known = {*taxonomy.keywords, *taxonomy.sentiment_names}
    faults: Counter[tuple[str, str]] = Counter()
    for answer in answers:
        named = {name for label in answer.labels for name in (label.keyword, label.sentiment)}
        if answer.taxonomy_version != taxonomy.version or named - known:
            strange = ", ".join(sorted(named - known))
            fault = f"taxonomy {answer.taxonomy_version}{f' with {strange}' if strange else ''}"
            faults[answer.round, fault] += 1
    if faults:
        told = [f"round {name}: {rows:,} in {fault}" for (name, fault), rows in sorted(faults.items())]
        raise InputContractError(
            f"The table labels has labels that are not in taxonomy {taxonomy.version}: {'; '.join(told[:5])}"
            f"{' ...' if told[5:] else ''}. Give --taxonomy the one that they were made with, leave these rounds out, "
            "or label them again."
        )


def hash_answers(answers: Sequence[Answer]) -> str:
    """Hash of who said what of which review: the same labels have the same, whenever they were imported."""
    said = sorted(
        [each.round, each.review_id, each.annotator, each.taxonomy_version or "", [asdict(row) for row in each.labels]]
        for each in answers
    )
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
