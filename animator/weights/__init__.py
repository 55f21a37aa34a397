"""The animator that ships, with its model card."""
