"""What is kept in ``STATE_DIR`` between runs: journal, leases, plans, history."""
