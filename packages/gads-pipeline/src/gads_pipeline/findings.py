"""What a check says about one subject: its parts find, the command line prints."""

from dataclasses import dataclass

from gads_domain.errors import GadsError


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check says about one subject: `message`, and the `error` if it is not well.

    `warning` is the hint of what is well today and will not stay so; empty otherwise.
    """

    subject: str
    message: str
    error: GadsError | None = None
    warning: str = ""

    @property
    def ok(self) -> bool:
        """Whether the subject is well."""
        return self.error is None

    @property
    def hint(self) -> str:
        """What to do about the error or the warning; empty without one."""
        return self.warning if self.error is None else self.error.hint


def fault(subject: str, error: GadsError) -> Finding:
    """What is wrong with `subject`."""
    return Finding(subject, error.message, error)
