"""How good the readers are: on real clips, on pictures whose truth is known, and side by side."""
