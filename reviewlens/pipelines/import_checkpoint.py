"""Import: two checkpoints that were trained elsewhere become one bundle."""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from reviewlens.bundle import Bundle, draft_bundle, seal_bundle
from reviewlens.config import ImportCheckpointConfig
from reviewlens.errors import ConfigError
from reviewlens.inference.scorer import Scorer
from reviewlens.taxonomy import Taxonomy, read_taxonomy
from reviewlens.text import normalize
from reviewlens.training.checkpoint import import_model

_Thresholds = TypeAdapter(dict[str, Annotated[float, Field(ge=0, le=1)]])


def run(config: ImportCheckpointConfig) -> Bundle:
    """Import both models, seal them with their thresholds, and see that the bundle loads before it is put in place.

    Raises:
        BundleError: a checkpoint cannot be used, or the target is not free.
        TaxonomyError: a checkpoint's classes are not the taxonomy's.
        ConfigError: the thresholds' file is wrong, or `base` is missing.
    """
    taxonomy = read_taxonomy(config.taxonomy)
    thresholds = _read_thresholds(config.thresholds, taxonomy)
    target = config.bundle.absolute()
    with draft_bundle(target) as draft:
        import_model(config.keyword, config.base, taxonomy.keywords, "multi_label_classification", draft / "keyword")
        import_model(
            config.sentiment, config.base, taxonomy.sentiment_names, "single_label_classification", draft / "sentiment"
        )
        sealed = seal_bundle(draft, taxonomy, thresholds, config.training_set)
        Scorer.load(draft)
    return sealed.model_copy(update={"path": target})


def _read_thresholds(file: Path | None, taxonomy: Taxonomy) -> dict[str, float]:
    if file is None:
        return dict.fromkeys(taxonomy.keywords, 0.5)
    try:
        given = _Thresholds.validate_python(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"No thresholds at {file}: {error.strerror}.") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigError(f"{file} must hold a probability for each keyword: {error}") from error
    names = {normalize(name): value for name, value in given.items()}
    differing = sorted(names.keys() ^ {normalize(keyword) for keyword in taxonomy.keywords})
    if differing:
        raise ConfigError(f"{file} must name each keyword of the taxonomy and no other; it differs in {differing}.")
    return {keyword: names[normalize(keyword)] for keyword in taxonomy.keywords}
