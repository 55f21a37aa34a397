"""Take files: readers and writers."""
