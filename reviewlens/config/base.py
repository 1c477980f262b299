"""A job's configuration: a frozen model, read from its YAML file, overridden by the command line."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, CliSettingsSource, SettingsConfigDict, SettingsError

from reviewlens.errors import ConfigError


class JobConfig(BaseModel):
    """Keys that every job has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    taxonomy: Path = Field(Path("conf/taxonomy.yaml"), description="the taxonomy's YAML file")


Config = TypeVar("Config", bound=JobConfig)


def read_config(kind: type[Config], file: Path, arguments: Sequence[str]) -> Config:
    """Read a job's configuration: its YAML file, with the command line's keys over it.

    Args:
        kind: the job's model.
        file: YAML; its keys are the model's.
        arguments: `--key value`, nested keys with dots, dashes or underscores alike. `--help` prints all and exits.

    Raises:
        ConfigError: lists every key that is unknown, missing or wrong.
    """
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"No configuration at {file}: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not YAML: {error}") from error
    overrides = _parse_arguments(kind, arguments)
    try:
        return kind.model_validate(_overlay(document, overrides))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {_say(fault)}" for fault in error.errors())
        raise ConfigError(f"{file} and the command line: {faults}. --help explains each key.") from error


def _parse_arguments(kind: type[Config], arguments: Sequence[str]) -> dict[str, Any]:
    """The command line as nested keys, by pydantic-settings; nothing is required of it, the file may hold the rest."""

    class Arguments(BaseSettings, kind):  # type: ignore[misc, valid-type]
        model_config = SettingsConfigDict(cli_kebab_case=False, cli_implicit_flags=True, extra="forbid")

    Arguments.__doc__ = kind.__doc__
    source = CliSettingsSource[Any](
        Arguments, cli_exit_on_error=False, cli_avoid_json=True, cli_hide_none_type=True, cli_parse_none_str="null"
    )
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            parsed = source(args=list(arguments))
    except SettingsError as error:
        raise ConfigError(f"Command line: {error}. --help explains each key.") from error
    return dict(parsed())


def _overlay(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    return under | {
        key: _overlay(under[key], value) if isinstance(value, dict) and isinstance(under.get(key), dict) else value
        for key, value in over.items()
    }


def _say(fault: Any) -> str:
    said: str = {"extra_forbidden": "no such key", "missing": "missing"}.get(fault["type"], fault["msg"])
    return said
