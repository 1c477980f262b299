"""The one error tree. Every class carries the exit code that a job ends with."""


class ReviewLensError(Exception):
    """What was wrong, where, and what to do, in words that a person on call can act on."""

    exit_code = 1


class ConfigError(ReviewLensError):
    """A key, a file or the environment is not what the job needs."""

    exit_code = 2


class TaxonomyError(ConfigError):
    """A taxonomy is malformed, or differs from the bundle's."""


class BundleError(ConfigError):
    """A bundle is missing, incomplete, changed since it was written, or unsafe to load."""


class DeviceError(ConfigError):
    """A device was demanded that this machine or task does not have."""


class DeviceLostError(ReviewLensError):
    """A device failed under a running process; only a new process can use it again."""


class InferenceError(ReviewLensError):
    """A text that the model cannot compute."""


class InputContractError(ReviewLensError):
    """The source table breaks its contract; the message lists every fault."""

    exit_code = 3


class BusyError(ReviewLensError):
    """Another run holds the target; try again later."""

    exit_code = 4


class QuarantineLimitError(ReviewLensError):
    """More rows were refused than the configuration allows."""

    exit_code = 5


class LedgerError(ReviewLensError):
    """What came out of a step is not what went in."""


class QualityGateError(ReviewLensError):
    """A model, or a round of labels, missed the figures that it must reach."""

    exit_code = 6
