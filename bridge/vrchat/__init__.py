"""VRChat: Unified Expressions as avatar parameters, found through OSCQuery."""

DEFAULT_PORT = 9000
"""UDP port where VRChat hears OSC."""
LOOPBACK = "127.0.0.1"
"""Where we listen unless told otherwise: this machine only."""
