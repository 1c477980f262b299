"""Whether a bundle may become champion: what its evaluation says."""

from pyspark.sql import SparkSession

from reviewlens.errors import QualityGateError
from reviewlens.spark.evaluations import read_findings, read_newest
from reviewlens.spark.tables import TableRef, table_exists
from reviewlens.training.findings import GATE, Finding, verdict_of


def hold_gate(spark: SparkSession, target: TableRef, challenger: str, champion: str) -> str:
    """Hold that the newest evaluation of a challenger against the present champion passed, and give its id.

    Args:
        spark: the session.
        target: where `evaluations` is.
        challenger: id of the bundle that wants to serve.
        champion: id of the bundle that serves.

    Raises:
        QualityGateError: there is no such evaluation, or it did not pass; the message names the figures that failed.
    """
    is_there = table_exists(spark, target.child("evaluations"))
    evaluation_id = read_newest(spark, target, challenger, champion) if is_there else None
    if evaluation_id is None:
        raise QualityGateError(
            f"Bundle {challenger} was not compared with the present champion {champion}: run "
            f"./spark-submit.sh evaluate_model --challenger DIRECTORY --target {target.location} first."
        )
    findings = read_findings(spark, target, evaluation_id)
    if not verdict_of(findings).passed:
        failed = [_say(each) for each in findings if each.passed is False and each.measure != GATE]
        raise QualityGateError(
            f"Bundle {challenger} did not pass evaluation {evaluation_id} against the champion {champion}: "
            f"{'; '.join(failed) or 'its verdict names no figure'}. The champion stays."
        )
    return evaluation_id


def _say(finding: Finding) -> str:
    values = [value for value in (finding.challenger_value, finding.champion_value) if value is not None]
    words = [finding.measure, *(["of", finding.subject] if finding.subject else [])]
    return " ".join([*words, " against ".join(f"{value:.3f}" for value in values)]).rstrip()
