"""Trains the networks: shards, augmentation, losses, loops. Needs the extra [train]."""
