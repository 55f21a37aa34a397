"""What a face expresses: sources of frames and readers that turn them into expressions."""
