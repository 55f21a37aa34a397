"""VRChat: Unified Expressions as avatar parameters, found by OSCQuery."""
