import json
import sys
import unicodedata
from dataclasses import asdict

import pytest
from typer.testing import CliRunner

from reviewlens.bundle import Bundle
from reviewlens.cli import app
from reviewlens.inference.scorer import Scorer

TEXT = "옷은 예쁘지만 배송은 늦어요ㅋㅋㅋ 👍🏻 그래도 소재는 좋네요"


def test_explain_prints_the_same_as_the_library(tiny_bundle: Bundle) -> None:
    """--json is one line with the scorer's own values, and each word's drop; offsets are those of the text as given."""
    text = unicodedata.normalize("NFD", TEXT)
    done = CliRunner().invoke(app, ["explain", text, "--bundle", str(tiny_bundle.path), "--json"])
    scorer = Scorer.load(tiny_bundle.path)
    [score], [effects] = scorer.score([text]), scorer.word_effects([text])

    assert (done.exit_code, done.stderr, done.stdout.count("\n")) == (0, "", 1)
    document = json.loads(done.stdout)
    assert document["text"] == text
    assert document["probabilities"] == score.probabilities
    assert score.keywords
    assert [each.pop("sentiment_value") in range(-2, 3) for each in document["keywords"]]
    assert document["keywords"] == [asdict(each) for each in score.keywords]
    assert [text[word["start"] : word["end"]] for word in document["words"]] == text.split()
    name = score.keywords[0].keyword
    column = scorer.taxonomy.keywords.index(name)
    assert [word["drops"][name] for word in document["words"]] == pytest.approx(
        (effects.probabilities[column] - effects.without[:, column]).tolist()
    )


def test_explain_shows_the_review_and_all_keywords(tiny_bundle: Bundle) -> None:
    """Without a terminal the output is plain text, legible without colour."""
    done = CliRunner().invoke(app, ["explain", TEXT, "--bundle", str(tiny_bundle.path)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert all(keyword in done.stdout for keyword in tiny_bundle.manifest.taxonomy.keywords)
    for found in Scorer.load(tiny_bundle.path).score([TEXT])[0].keywords:
        assert f"{found.keyword}/{found.sentiment}" in done.stdout


@pytest.mark.parametrize(("text", "bundle"), [(" \n\u3000", "starter"), (TEXT, "/no/such/bundle")])
def test_an_error_is_one_sentence(text: str, bundle: str) -> None:
    """A blank review or a missing bundle ends with the error's exit code, and a traceback only when asked for."""
    done = CliRunner().invoke(app, ["explain", text, "--bundle", bundle])
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "blank" in done.stderr if bundle == "starter" else bundle in done.stderr
    debugged = CliRunner().invoke(app, ["explain", text, "--bundle", bundle, "--debug"])
    assert (debugged.exit_code, "Traceback" in debugged.stderr) == (2, True)


def test_help_does_not_wait_for_torch() -> None:
    """The models' libraries load only when something is scored."""
    import subprocess

    program = "import sys, reviewlens.cli; print([name for name in ('torch', 'pyspark') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
