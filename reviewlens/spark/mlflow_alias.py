"""The champion in an MLflow model registry, for those who look there. The Delta table decides; MLflow follows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reviewlens.errors import ConfigError

if TYPE_CHECKING:
    from mlflow import MlflowClient

_NOT_THERE = "RESOURCE_DOES_NOT_EXIST"


@dataclass(frozen=True, slots=True)
class MlflowAlias:
    """An alias of one registered model in MLflow."""

    client: "MlflowClient"
    model_name: str
    alias: str

    def follow(self, bundle_id: str, path: str) -> str:
        """Let the alias stand for a bundle, and give the version that this is in MLflow: one for each bundle.

        The bundle stays where it is. MLflow's server takes no local path as a version's source, so the path is a tag.

        Raises:
            ConfigError: MLflow refuses, or does not answer.
        """
        with _say_what_failed("did not follow"):
            known = self.client.search_model_versions(f"name = '{self.model_name}' AND tags.bundle_id = '{bundle_id}'")
            version = known[0] if known else None
            if version is None:
                version = self.client.create_model_version(
                    self.model_name,
                    source=f"reviewlens:/{bundle_id}",
                    tags={"bundle_id": bundle_id},
                    await_creation_for=0,
                )
            self.client.set_model_version_tag(self.model_name, str(version.version), "path", path)
            self.client.set_registered_model_alias(self.model_name, self.alias, str(version.version))
        return str(version.version)


def connect_mlflow(uri: str, model_name: str, alias: str) -> MlflowAlias:
    """Reach an MLflow registry, and create the registered model where there is none.

    Raises:
        ConfigError: MLflow is not installed, refuses, or does not answer.
    """
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise ConfigError(
            "mlflow_uri is given, and MLflow is not installed: pip install 'reviewlens[mlflow]', or leave it out."
        ) from error
    with _say_what_failed("cannot be used; nothing was moved, and --mlflow_uri null leaves it out"):
        client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        try:
            client.get_registered_model(model_name)
        except MlflowException as error:
            if error.error_code != _NOT_THERE:
                raise
            client.create_registered_model(model_name)
    return MlflowAlias(client, model_name, alias)


@contextmanager
def _say_what_failed(failure: str) -> Iterator[None]:
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise ConfigError(f"MLflow at mlflow_uri {failure}: {str(error).splitlines()[0].strip()}") from error
