"""Builds training data: people, expressions, renders, shards."""
