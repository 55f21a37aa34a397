"""The error of data building that a person can act on."""


class DataError(RuntimeError):
    """Training data cannot be made; the message is one line and says what to do."""
