"""Trainings that need more than one of the package's parts."""
