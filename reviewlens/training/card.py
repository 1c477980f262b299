"""The model card: what a bundle is made of and how good it is, for whoever finds it without its history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reviewlens.bundle import Bundle
from reviewlens.training.evaluation import Evaluation
from reviewlens.training.metrics import MACRO, MICRO, find_figures, render_markdown
from reviewlens.training.parity import COLUMNS, Parity

_CARD = """\
---
language: ko
license: {licence_id}
library_name: reviewlens
pipeline_tag: text-classification
---

# ReviewLens bundle {bundle_id}

Finds {keywords} keywords in Korean shop reviews, one of {levels} sentiment levels for each keyword found, and the word
that carries it. Taxonomy {taxonomy}. Load it with `reviewlens.Scorer.load(path)`.

- Encoder: {encoder}
- Training set: {training_set}; reviews: {parts}
- Licence of this bundle: {licence}

## Figures

{summary}

Keywords are measured at the thresholds, the baseline's at its own; sentiments and highlights on the true keywords.
Sign accuracy knows negative, neutral and positive only. Hit@1: the highlight is one of the words that a person named
as evidence.

{tables}

## Limits

{limits}

## How it was made

```bash
{command}
```
"""
_ONNX_HEADING = "\n## ONNX\n"
_ONNX_SECTION = """
Models for ONNX Runtime, made of bundle {original}; everything else is that bundle's. Against it in torch float32, on
{reviews:,} validation reviews: the share of keyword decisions, sentiments and highlights that are the same, and the
largest difference of a keyword's and of a sentiment's probability.

{table}
"""
_SUMMARY = (
    "reviews",
    "by",
    "n",
    "keyword micro F1",
    "keyword macro F1",
    "sentiment accuracy",
    "sentiment macro F1",
    "sign accuracy",
    "highlight hit@1",
)


@dataclass(frozen=True, slots=True)
class Encoder:
    """The pretrained encoder under both models: its name, where it came from, and its licence."""

    name: str
    source: str
    licence: str


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures on one set of reviews, with the baseline's on the same reviews where it was measured."""

    reviews: str
    model: Evaluation
    baseline: Evaluation | None = None


def write_card(
    bundle: Bundle,
    *,
    encoder: Encoder,
    licence: str,
    parts: Mapping[str, int],
    results: Sequence[Measured],
    limits: Sequence[str],
    command: str,
) -> Path:
    """Write `README.md` at the bundle's root, which the bundle's hashes do not cover.

    Args:
        bundle: the sealed bundle.
        encoder: what both models were fine-tuned from.
        licence: the bundle's own, as an SPDX identifier.
        parts: number of labelled reviews in each part, such as train, validation, test.
        results: figures, the held-out part first.
        limits: a sentence for each thing that the bundle should not be trusted with.
        command: the command line that made the bundle.

    Returns:
        The file written.
    """
    manifest = bundle.manifest
    card = _CARD.format(
        licence=licence,
        licence_id=licence.lower(),
        bundle_id=bundle.bundle_id,
        keywords=len(manifest.taxonomy.keywords),
        levels=len(manifest.taxonomy.sentiments),
        taxonomy=manifest.taxonomy.version,
        encoder=f"{encoder.name} ({encoder.licence}), from {encoder.source}",
        training_set=manifest.training_set,
        parts=", ".join(f"{part} {count:,}" for part, count in parts.items()),
        summary=_render_summary(results),
        tables="\n\n".join(map(_render_tables, results)),
        limits="\n".join(f"- {limit}" for limit in limits),
        command=command,
    )
    file = bundle.path / "README.md"
    file.write_text(card, encoding="utf-8")
    return file


def extend_card(original: Bundle, optimized: Bundle, parities: Sequence[Parity]) -> None:
    """Give an optimised bundle its original's card, where there is one, with its own id and a section on ONNX."""
    card = original.path / "README.md"
    if card.is_file():
        said = card.read_text(encoding="utf-8").split(_ONNX_HEADING)[0]
        said = said.replace(original.bundle_id, optimized.bundle_id)
        rows = [COLUMNS, ("---",) * len(COLUMNS), *(parity.to_cells() for parity in parities)]
        table = "\n".join(f"|{'|'.join(row)}|" for row in rows)
        section = _ONNX_SECTION.format(original=original.bundle_id, reviews=parities[0].reviews, table=table)
        (optimized.path / "README.md").write_text(said + _ONNX_HEADING + section, encoding="utf-8")


def _render_tables(measured: Measured) -> str:
    keywords, sentiments = measured.model.keywords, measured.model.sentiments
    return (
        f"### Keywords, {measured.reviews}\n\n{render_markdown(keywords)}\n\n"
        f"### Sentiments, {measured.reviews}\n\n{render_markdown(sentiments)}"
    )


def _render_summary(results: Sequence[Measured]) -> str:
    lines: list[tuple[str, ...]] = [_SUMMARY, ("---",) * len(_SUMMARY)]
    for measured in results:
        lines.append((measured.reviews, "model", *_summarise(measured.model)))
        if measured.baseline is not None:
            lines.append((measured.reviews, "baseline", *_summarise(measured.baseline)))
    return "\n".join(f"|{'|'.join(line)}|" for line in lines)


def _summarise(evaluation: Evaluation) -> tuple[str, ...]:
    figures = (
        find_figures(evaluation.keywords, MICRO).f1,
        find_figures(evaluation.keywords, MACRO).f1,
        evaluation.sentiment_accuracy,
        find_figures(evaluation.sentiments, MACRO).f1,
        evaluation.sign_accuracy,
        evaluation.highlight_hit_rate,
    )
    return f"{evaluation.reviews:,}", *("–" if figure is None else f"{figure:.3f}" for figure in figures)
