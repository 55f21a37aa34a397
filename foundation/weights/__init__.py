"""The networks that ship, with their model cards."""
