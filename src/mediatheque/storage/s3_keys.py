"""The keys that a client gives for a store of its own."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class S3Keys:
    """An access key and its secret. What is shown of them is nothing."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
