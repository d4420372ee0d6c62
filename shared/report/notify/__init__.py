"""Messages to people and programs: text, then post and mail."""
