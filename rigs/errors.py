"""Errors a person can act on."""


class RigError(ValueError):
    """A rig, rig file or rig name is unusable; the message is one line and says what to do."""


class RenderError(RuntimeError):
    """A picture cannot be drawn here; the message is one line and says what to install or do."""
