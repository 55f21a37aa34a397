"""glTF 2.0 files: read safely, written clean, given an animation."""
