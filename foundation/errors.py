"""Errors a person can act on."""


class SourceError(ValueError):
    """An input cannot be opened or read; the message is one line and says what to do."""


class ReaderError(RuntimeError):
    """A face reader cannot run; the message is one line and says what to do."""


class TrainingError(ValueError):
    """A training run cannot start or go on; the message is one line and says what to do."""


class ConfigError(TrainingError):
    """The description of a network is from another version or contradicts itself."""
