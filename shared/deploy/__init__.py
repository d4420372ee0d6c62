"""``./deploy.sh``: facts and wishes, the steps between them, and carrying them out. Never in the archive."""
