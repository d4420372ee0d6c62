"""The forms of a run's report: JSON, the terminal, messages, a page, numbers."""
