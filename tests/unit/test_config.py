"""Configuration: files, command line, and errors that list every fault."""

from pathlib import Path

import pytest
import yaml

from reviewlens import config as configs
from reviewlens.config import ExchangeLabelsConfig, JobConfig, ScoreReviewsConfig, TrainModelConfig, read_config
from reviewlens.errors import ConfigError

ROOT = Path(__file__).parents[2]
KINDS = {
    "".join(f"_{char.lower()}" if char.isupper() else char for char in name.removesuffix("Config"))[1:]: kind
    for name, kind in vars(configs).items()
    if isinstance(kind, type) and issubclass(kind, JobConfig) and kind is not JobConfig
}


@pytest.mark.parametrize("job", [path.stem for path in sorted((ROOT / "jobs").glob("*.py"))])
def test_every_job_has_a_file_that_its_model_accepts(job: str) -> None:
    """conf/<job>.yaml holds no unknown key and no wrong value; only keys that the user must give may be missing."""
    document = yaml.safe_load((ROOT / "conf" / f"{job}.yaml").read_text(encoding="utf-8")) or {}
    missing = {
        name: str(ROOT / "conf")
        for name, field in KINDS[job].model_fields.items()
        if field.is_required() and name not in document
    }
    assert KINDS[job].model_validate(document | missing)


def test_training_takes_labels_or_a_training_set_and_not_both() -> None:
    """Each way has a file of its own; a version is a number or the newest."""
    file = ROOT / "conf" / "retrain_model.yaml"
    assert read_config(TrainModelConfig, file, ["--bundle", "b"]).training_set == "newest"
    assert read_config(TrainModelConfig, file, ["--bundle", "b", "--training_set", "3"]).training_set == 3
    for keys in (["--labels", "labels.jsonl"], ["--training_set", "null"], ["--target", "null"]):
        with pytest.raises(ConfigError, match=r"one of the two|belong together"):
            read_config(TrainModelConfig, file, ["--bundle", "b", *keys])


def test_the_command_line_overrides_the_file(tmp_path: Path) -> None:
    """Top-level and nested keys, flags, and null for an optional column."""
    file = tmp_path / "score_reviews.yaml"
    file.write_text("source: ./a\ntarget: ./b\ncolumns: {text: content, rating: stars}\nchunk_rows: 10\n")
    arguments = ["--target", "shop.results", "--columns.text", "본문", "--columns.rating", "null", "--dry_run"]
    config = read_config(ScoreReviewsConfig, file, arguments)
    assert (config.source, config.target, config.chunk_rows, config.dry_run) == ("./a", "shop.results", 10, True)
    assert (config.columns.text, config.columns.rating, config.columns.mall_id) == ("본문", None, "mall_id")


def test_one_error_lists_every_fault(tmp_path: Path) -> None:
    """Unknown, missing and wrong keys come together."""
    file = tmp_path / "score_reviews.yaml"
    file.write_text("source: ./a\nchunk_row: 10\ntoken_budget: -1\n")
    with pytest.raises(ConfigError) as caught:
        read_config(ScoreReviewsConfig, file, ["--device", "tpu"])
    for part in ("target: missing", "chunk_row: no such key", "token_budget: Input should be greater", "device: Input"):
        assert part in str(caught.value)


def test_an_unknown_option_is_an_error() -> None:
    """A typing error on the command line never passes in silence."""
    with pytest.raises(ConfigError, match="--chunk_row"):
        read_config(ScoreReviewsConfig, ROOT / "conf" / "score_reviews.yaml", ["--chunk_row", "5"])


def test_an_action_is_a_word_of_the_command_line(tmp_path: Path) -> None:
    """Before the keys or after them; without it the file's, and without that the default."""
    file = tmp_path / "exchange_labels.yaml"
    file.write_text("target: ./lakehouse\nround: '2026-11'\n")
    keys = ["--file", "labels.json"]
    for arguments, action in ((["import", *keys], "import"), ([*keys, "import"], "import"), (keys, "export")):
        assert read_config(ExchangeLabelsConfig, file, arguments).action == action
    file.write_text("target: ./lakehouse\nround: '2026-11'\naction: import\n")
    assert read_config(ExchangeLabelsConfig, file, keys).action == "import"
    assert read_config(ExchangeLabelsConfig, file, ["export", *keys]).action == "export"
    with pytest.raises(ConfigError, match="action: Input should be 'export' or 'import'"):
        read_config(ExchangeLabelsConfig, file, ["expotr", *keys])
