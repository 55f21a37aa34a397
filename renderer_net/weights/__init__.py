"""The neural renderer that ships, with its model card."""
