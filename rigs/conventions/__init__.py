"""Names of facial controls in the conventions studios use, and how they map to ARKit's 52."""
