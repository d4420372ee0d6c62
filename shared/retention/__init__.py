"""What should go and what must stay: pure decisions on records, with no cloud, clock or environment."""
