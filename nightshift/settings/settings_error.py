"""What is raised where settings are wrong."""

__all__ = ["SettingsError"]


class SettingsError(ValueError):
    """A survey's settings are wrong; the message names file, key, value and what is allowed."""
