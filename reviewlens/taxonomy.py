"""The taxonomy: what keywords and sentiments there are, and how a pair is written for the sentiment model."""

import re
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from reviewlens.errors import TaxonomyError


class SentimentLevel(BaseModel):
    """One level of the scale; `value` is what averages are taken over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    value: int


class Taxonomy(BaseModel):
    """Keywords, sentiment levels from worst to best, the prompt of the second stage, and their version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    keywords: tuple[str, ...]
    sentiments: tuple[SentimentLevel, ...]
    prompt: str

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = self.sentiment_names
        if not self.keywords or len(set(self.keywords)) != len(self.keywords):
            raise ValueError("keywords must be given, each once")
        if len(names) < 2 or len(set(names)) != len(names):  # noqa: PLR2004
            raise ValueError("at least two sentiments, each once")
        if [level.value for level in self.sentiments] != sorted({level.value for level in self.sentiments}):
            raise ValueError("sentiments must go from the lowest value to the highest")
        if re.findall(r"{text}|{keyword}", self.prompt) != ["{text}", "{keyword}"]:
            raise ValueError("prompt must hold {text} once and, after it, {keyword} once")
        return self

    @property
    def sentiment_names(self) -> tuple[str, ...]:
        """Names of the levels, worst first, in the order of the sentiment model's outputs."""
        return tuple(level.name for level in self.sentiments)

    def write_prompt(self, text: str, keyword: str) -> str:
        """The pair as the sentiment model reads it. Braces inside `text` stay what they are."""
        head, rest = self.prompt.split("{text}")
        middle, tail = rest.split("{keyword}")
        return f"{head}{text}{middle}{keyword}{tail}"


def read_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy from YAML.

    Raises:
        TaxonomyError: the file is missing or malformed; the message lists every fault.
    """
    try:
        return Taxonomy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise TaxonomyError(f"No taxonomy at {path}: {error.strerror}.") from error
    except (yaml.YAMLError, ValidationError) as error:
        raise TaxonomyError(f"{path} is not a taxonomy: {error}") from error
