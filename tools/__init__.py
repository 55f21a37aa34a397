"""The freeavatar command: one file per verb."""
