"""Credentials: how a key becomes a token, what the environment holds, what is signed."""
