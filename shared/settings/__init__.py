"""What users write: the TOML file and the environment, checked before any call."""
