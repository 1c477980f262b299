"""Challenger against champion on a frozen test part and on a scored night."""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import Row, SparkSession
from rich.console import Console

from reviewlens import Scorer
from reviewlens.bundle import Bundle, seal_bundle
from reviewlens.config import Columns, EvaluateModelConfig, ScoreReviewsConfig
from reviewlens.errors import BundleError, InputContractError, TaxonomyError
from reviewlens.labeling.labels import KeywordLabel
from reviewlens.labeling.training_set import FrozenReview, hash_content
from reviewlens.pipelines import evaluate_model, score_reviews
from reviewlens.spark.gate import hold_gate
from reviewlens.spark.last_night import find_last_night, sample_night
from reviewlens.spark.tables import TableRef
from reviewlens.spark.training_sets import TrainingSet, VersionLine, write_version
from reviewlens.taxonomy import Taxonomy
from reviewlens.training.findings import Finding, select_findings
from reviewlens.training.wording import FIGURE_COLUMNS, figure_cells

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
TEXTS = [
    "옷은 예쁘지만 배송은 늦어요",
    "배송 늦어요 ㅋㅋㅋ",
    "예쁘 예쁘 디자인 좋아요",
    "😀 배송 빨라요 정말",
    "늦어요",
]

Run = Callable[..., evaluate_model.Comparison]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle, taxonomy: Taxonomy) -> dict[str, Bundle]:
    """The tiny models with other thresholds: one finds every keyword, one none, one what is likely."""

    def seal(name: str, threshold: float) -> Bundle:
        path = tmp_path_factory.mktemp("bundles") / name
        shutil.copytree(tiny_bundle.path, path)
        return seal_bundle(path, taxonomy, dict.fromkeys(taxonomy.keywords, threshold), f"made up, {name}")

    return {"all": seal("all", 0.0), "none": seal("none", 1.0), "likely": tiny_bundle}


@dataclass(frozen=True)
class Lake:
    """The folder of the module, and the hashes of its training sets."""

    folder: Path
    hashes: dict[int, str]

    @property
    def target(self) -> TableRef:
        return TableRef.parse(str(self.folder / "lake"))


@pytest.fixture(scope="module")
def lake(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy, bundles: dict[str, Bundle]
) -> Lake:
    """A night of five reviews; training set 1, tested on the same texts and three more; 2, tested on what 1 learned."""
    folder = tmp_path_factory.mktemp("evaluated")
    rows = [(str(number), "가몰", text) for number, text in enumerate(TEXTS)]
    reviews = spark.createDataFrame(rows, "review_id STRING, mall_id STRING, text STRING")
    reviews.write.format("delta").save(str(folder / "reviews"))
    night = {"source": str(folder / "reviews"), "target": str(folder / "lake"), "sql_dir": ROOT / "conf" / "sql"}
    night |= {"bundle": str(bundles["likely"].path), "taxonomy": ROOT / "conf" / "taxonomy.yaml"}
    score_reviews.run(spark, ScoreReviewsConfig.model_validate(night), Console(file=io.StringIO()))
    tests = {1: [*TEXTS, "색상이 달라요", "그냥 그래요", "배송 최고"], 2: ["배송이 늦네요 1!!", "무난해요"]}
    target = TableRef.parse(str(folder / "lake"))
    return Lake(folder, {number: freeze(spark, target, taxonomy, number, texts) for number, texts in tests.items()})


def freeze(spark: SparkSession, target: TableRef, taxonomy: Taxonomy, version: int, test: Sequence[str]) -> str:
    """Write a version and return its hash. Test review i has the keywords i and i + 1, of the first three."""
    keywords, levels = taxonomy.keywords, taxonomy.sentiment_names
    reviews = [FrozenReview(f"{version}-train", "가몰", f"배송이 늦네요 {version}", (), "train", False, None, 0)]
    for number, text in enumerate(test):
        labels = tuple(KeywordLabel(keywords[(number + k) % 3], levels[number % len(levels)]) for k in range(2))
        reviews.append(FrozenReview(f"{version}-{number}", "가몰", text, labels, "test", True, "2026-11", 1))
    content = hash_content(reviews)
    line = VersionLine(version, content, 1, 0, len(test), 0, ("2026-11",), None, taxonomy.version, NOW)
    write_version(spark, target, line, reviews)
    return content


@pytest.fixture
def run(spark: SparkSession, lake: Lake, bundles: dict[str, Bundle]) -> Run:
    """Run the job with keys changed by the test; the screen is in `run.screen`."""

    def start(now: datetime = NOW, **keys: object) -> evaluate_model.Comparison:
        document = {
            "source": str(lake.folder / "reviews"),
            "target": str(lake.folder / "lake"),
            "challenger": str(bundles["all"].path),
            "champion": str(bundles["none"].path),
            "training_set": 1,
            "taxonomy": ROOT / "conf" / "taxonomy.yaml",
            "resamples": 100,
            "min_keyword_rows": 5,
            **keys,
        }
        start.screen = io.StringIO()  # type: ignore[attr-defined]
        console = Console(file=start.screen, width=200)  # type: ignore[attr-defined]
        return evaluate_model.run(spark, EvaluateModelConfig.model_validate(document), console, now)

    return start


def read(lake: Lake, evaluation_id: str) -> list[dict[str, object]]:
    rows = DeltaTable(lake.folder / "lake" / "evaluations").to_pyarrow_table().to_pylist()
    return sorted((row for row in rows if row["evaluation_id"] == evaluation_id), key=lambda row: row["position"])


def test_a_better_challenger_passes_and_its_figures_are_written(
    spark: SparkSession, lake: Lake, run: Run, bundles: dict[str, Bundle], tmp_path: Path
) -> None:
    """A verdict that promotion accepts, both models' figures, the last night, a page without a word of a review."""
    comparison = run(report=tmp_path / "page.html")
    rows = read(lake, comparison.contest.evaluation_id)
    assert (rows[0]["measure"], rows[0]["passed"], rows[0]["rows"]) == ("gate", True, 8)
    by_name = {(row["measure"], row["subject"]): row for row in rows}
    macro = by_name["keyword_macro_f1", ""]
    truths = [6, 5, 5]  # of 8 reviews: where every keyword is found, precision is the share of true ones
    assert macro["champion_value"] == 0.0
    assert macro["challenger_value"] == pytest.approx(sum(2 * true / (8 + true) for true in truths) / 14)
    assert by_name["sentiment_accuracy", ""]["difference"] == 0.0
    assert by_name["comprehensiveness", "1 word"]["rows"] == 0
    assert by_name["nightly_share", "배송"]["challenger_value"] == 1.0
    assert {row["challenger"] for row in rows} == {bundles["all"].bundle_id}
    ids = bundles["all"].bundle_id, bundles["none"].bundle_id
    assert hold_gate(spark, lake.target, *ids) == comparison.contest.evaluation_id
    screen = run.screen.getvalue()  # type: ignore[attr-defined]
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "made up, all" in screen
    assert not [text for text in TEXTS if text in page + screen]
    line = json.loads(screen.splitlines()[-1])
    assert (line["passed"], line["is_stored"], line["failed"]) == (True, False, [])


def test_the_same_comparison_is_written_once(lake: Lake, run: Run) -> None:
    """It is read, and leaves the table at its version; a newer one with other settings is what promotion goes by."""
    first = run(seed=8, source=None)
    newer = run(NOW.replace(hour=10), seed=9, source=None)
    version = DeltaTable(lake.folder / "lake" / "evaluations").version()
    again = run(NOW.replace(hour=11), seed=8, source=None)
    assert (first.is_stored, newer.is_stored, again.is_stored) == (False, False, True)
    assert again.findings == first.findings
    assert DeltaTable(lake.folder / "lake" / "evaluations").version() == version
    screen = run.screen.getvalue()  # type: ignore[attr-defined]
    assert "was made before" in screen
    assert f"promote_model goes by evaluation {newer.contest.evaluation_id} of the same bundles" in screen


def test_a_worse_challenger_is_refused_and_the_job_ends_well(run: Run, bundles: dict[str, Bundle]) -> None:
    """The verdict is no and names its reasons; enforcing it is promotion's part."""
    keys = {"challenger": str(bundles["none"].path), "champion": str(bundles["all"].path)}
    comparison = run(**keys, source=None)
    assert not comparison.passed
    assert not select_findings(comparison.findings, "nightly_agreement")
    screen = run.screen.getvalue()  # type: ignore[attr-defined]
    assert "The gate says no" in screen
    assert "source is null" in screen
    assert "keywords, macro F1" in json.loads(screen.splitlines()[-1])["failed"]


def test_a_model_equals_itself_on_highlights_and_on_the_night(
    run: Run, bundles: dict[str, Bundle], spark: SparkSession, lake: Lake
) -> None:
    """What the night stored is what the bundle says again, and the same bundle is no gain."""
    keys = {"challenger": str(bundles["likely"].path), "champion": str(bundles["likely"].path)}
    comparison = run(**keys, nightly_rows=4)
    found = {(each.measure, each.subject): each for each in comparison.findings}
    assert found["nightly_agreement", ""].value == 1.0
    assert found["nightly_agreement", "배송"].rows == 4
    assert found["nightly_sentiment_agreement", ""].value == found["nightly_highlight_agreement", ""].value == 1.0
    assert found["comprehensiveness", "1 word"].rows > 0
    assert found["comprehensiveness", "1 word"].difference == 0.0
    assert not comparison.passed
    stored: list[Row] = spark.read.format("delta").load(str(lake.folder / "lake" / "review_scores")).collect()
    scores = Scorer.load(bundles["likely"].path).score([TEXTS[int(row.review_id)] for row in stored])
    assert sum(len(score.keywords) for score in scores) > 0


def test_a_challenger_that_learned_the_test_reviews_is_refused(
    run: Run, lake: Lake, bundles: dict[str, Bundle], taxonomy: Taxonomy, tmp_path: Path
) -> None:
    """By the training set that its manifest names; a champion that did so is flattered, and that is said."""
    paths = {version: str(tmp_path / str(version)) for version in lake.hashes}
    for version, path in paths.items():
        shutil.copytree(bundles["all"].path, path)
        named = f"training set {version} (sha256 {lake.hashes[version]})"
        seal_bundle(Path(path), taxonomy, dict.fromkeys(taxonomy.keywords, version / 10), named)
    with pytest.raises(InputContractError, match="trained on training set 1, which has 1 of the 2 test reviews"):
        run(challenger=paths[1], training_set=2)
    comparison = run(challenger=paths[2], champion=paths[1], training_set=2, source=None)
    assert comparison.notes[:2] == [
        "The challenger was trained on training set 2.",
        "The champion was trained on training set 1, and has seen 1 of the 2 test reviews.",
    ]


def test_a_part_that_cannot_measure_is_an_error(taxonomy: Taxonomy) -> None:
    """No test part, chosen picks in it, labels of another taxonomy or beyond it."""

    def select(*reviews: FrozenReview, version: str = taxonomy.version) -> None:
        evaluate_model._select_test(TrainingSet(4, "c0ffee", version, reviews), taxonomy)

    train = FrozenReview("1", "가몰", TEXTS[0], (), "train", True, "2026-11", 1)
    with pytest.raises(InputContractError, match="Training set 4 has no test part"):
        select(train)
    with pytest.raises(InputContractError, match="1 of 2 test reviews of training set 4 are no random picks"):
        select(replace(train, part="test"), replace(train, review_id="2", part="test", is_random=False))
    with pytest.raises(TaxonomyError, match="Training set 4 was labelled with taxonomy 0"):
        select(replace(train, part="test"), version="0")
    unknown = (KeywordLabel("날씨", taxonomy.sentiment_names[0]),)
    with pytest.raises(InputContractError, match=r"row 1: not in taxonomy .*날씨"):
        select(replace(train, part="test", labels=unknown))


def test_a_bundle_of_another_taxonomy_or_none_is_an_error(
    run: Run, bundles: dict[str, Bundle], taxonomy: Taxonomy, tmp_path: Path
) -> None:
    """Before anything is scored."""
    shutil.copytree(bundles["all"].path, tmp_path / "other")
    other = taxonomy.model_copy(update={"version": "other"})
    seal_bundle(tmp_path / "other", other, dict.fromkeys(taxonomy.keywords, 0.5), "made up")
    with pytest.raises(TaxonomyError, match="was made for taxonomy version other"):
        run(challenger=str(tmp_path / "other"))
    with pytest.raises(BundleError, match="No bundle at"):
        run(challenger=str(tmp_path / "nowhere"))


def test_a_night_is_left_out_where_there_is_none_and_where_texts_have_changed(
    spark: SparkSession, lake: Lake, tmp_path: Path
) -> None:
    """And a line says which of both it was."""
    rows = [("0", "가몰", "전혀 다른 말"), ("1", "가몰", TEXTS[1])]
    reviews = spark.createDataFrame(rows, "review_id STRING, mall_id STRING, text STRING")
    reviews.write.format("delta").save(str(tmp_path / "changed"))
    source = TableRef.parse(str(tmp_path / "changed"))
    assert find_last_night(spark, source, TableRef.parse(str(tmp_path / "lake"))) is None
    assert "no finished run of score_reviews" in evaluate_model._say_night("changed", None, [])
    night = find_last_night(spark, source, lake.target)
    assert night is not None
    columns = Columns(category=None, product=None, rating=None, created_at=None)
    assert [each.text for each in sample_night(spark, night, columns, 10, "7")] == [TEXTS[1]]
    assert "with the text it had" in evaluate_model._say_night("changed", night, [])
    with pytest.raises(InputContractError, match="cannot be read as a Delta table"):
        find_last_night(spark, TableRef.parse(str(tmp_path / "gone")), lake.target)


def test_figures_are_readable_in_eighty_columns() -> None:
    """No name is cut inside a word, and no number is cut at all."""
    interval = {"low": -0.123, "high": 0.456, "rows": 1_234, "passed": False}
    findings = [
        Finding(name, subject, 0.123, 0.456, -0.333, **interval)  # type: ignore[arg-type]
        for name, subject in (("keyword_f1", "라인(핏)"), ("random_comprehensiveness", "3 words"))
    ]
    screen = io.StringIO()
    Console(file=screen, width=80).print(evaluate_model._tabulate("evaluation", FIGURE_COLUMNS, figure_cells(findings)))
    lines = [line.split() for line in screen.getvalue().splitlines()]
    numbers = ["0.123", "0.456", "-0.333", "-0.123", "…", "+0.456", "1,234", "failed"]
    assert ["F1,", "라인(핏)", *numbers] in lines
    assert ["comprehensiveness", "at", *numbers] in lines
    assert ["random,", "3", "words"] in lines
