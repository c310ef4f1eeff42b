"""The errors a user meets, each one line: what happened, what was expected, what to do.

The CLI prints the message and exits with the error's code; nothing else in the package
prints. Exit codes: 0 done, 1 some clips failed, 2 wrong use, 3 the environment's fault.
"""


class AnnotateError(Exception):
    """An error with a message fit for the user; never shown as a traceback."""

    exit_code = 3


class UsageError(AnnotateError):
    """The user asked for something that cannot be: a bad option, manifest or model name."""

    exit_code = 2


class EnvironmentFault(AnnotateError):
    """The machine cannot do it: no ffmpeg, disk full, database locked or from a newer version."""


class StageFailure(AnnotateError):
    """One clip or file failed in one stage; it becomes its row and the run goes on.

    >>> str(StageFailure("decode", "no frame could be decoded"))
    'decode: no frame could be decoded'
    """

    exit_code = 1

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage = stage
        self.reason = reason

    def __reduce__(self) -> tuple[type["StageFailure"], tuple[str, str]]:
        """Keep both arguments when a worker process hands the failure over."""
        return type(self), (self.stage, self.reason)
