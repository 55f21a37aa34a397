"""Where commands write the figures that they measured into model cards and other documents."""

QUALITY_BEGIN, QUALITY_END = "<!-- quality:begin -->", "<!-- quality:end -->"
"""Comments around the tables of ``freeavatar eval quality --cards``."""
