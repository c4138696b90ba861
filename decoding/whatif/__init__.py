"""The recorded run under other settings."""
