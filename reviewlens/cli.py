"""The command line: `reviewlens explain "…"`."""

import json
import traceback
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reviewlens.errors import ConfigError, ReviewLensError

if TYPE_CHECKING:
    from reviewlens.inference.scorer import Scorer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def main() -> None:
    """Keywords, sentiments and highlights of shop reviews."""


@app.command()
def explain(
    text: Annotated[str, typer.Argument(help="the review")],
    bundle: Annotated[str, typer.Option(help="'starter', or the directory of a bundle")] = "starter",
    as_json: Annotated[bool, typer.Option("--json", help="print one line of JSON")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="print the traceback of an error")] = False,
) -> None:
    """Score one review and show why: its highlights, every keyword's probability, each word's drop."""
    try:
        if not text.strip():
            raise ConfigError("The review is blank: give a text with at least one word.")
        from reviewlens.inference.scorer import Scorer

        scorer = Scorer.load(bundle)
        if as_json:
            # A lone surrogate from a broken argument becomes its JSON escape.
            line = json.dumps(describe(scorer, text), ensure_ascii=False).encode("utf-8", "backslashreplace")
            typer.echo(line.decode())
        else:
            _print(scorer, text)
    except ReviewLensError as error:
        if debug:
            traceback.print_exc()
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from error


def describe(scorer: "Scorer", text: str) -> dict[str, Any]:
    """The explanation of a text as plain values; offsets count code points of the text as given."""
    [score], [effects] = scorer.score([text]), scorer.word_effects([text])
    value = {level.name: level.value for level in scorer.taxonomy.sentiments}
    names = [found.keyword for found in score.keywords]
    columns = [scorer.taxonomy.keywords.index(name) for name in names]
    drops = (effects.probabilities - effects.without)[:, columns].tolist()
    return {
        "text": text,
        "bundle_id": scorer.bundle.bundle_id,
        "truncated": score.truncated,
        "probabilities": score.probabilities,
        "thresholds": scorer.bundle.manifest.thresholds,
        "keywords": [asdict(found) | {"sentiment_value": value[found.sentiment]} for found in score.keywords],
        "words": [
            {"word": word.text, "start": word.start, "end": word.end, "drops": dict(zip(names, row, strict=True))}
            for word, row in zip(effects.words, drops, strict=True)
        ],
    }


def _print(scorer: "Scorer", text: str) -> None:
    from rich.console import Console

    from reviewlens.display import show_explanation

    [score], [effects] = scorer.score([text]), scorer.word_effects([text])
    shown = show_explanation(text, score, effects, scorer.bundle.manifest.thresholds, scorer.taxonomy)
    Console(highlight=False).print(shown)
