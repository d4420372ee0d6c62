"""What a run is reported as: JSON, the terminal, messages, a page, numbers."""
