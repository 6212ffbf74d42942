"""What is raised where no settings can be drafted."""

from nightshift.settings.settings_error import SettingsError

__all__ = ["CameraProblem"]


class CameraProblem(SettingsError):
    """A folder of which no draft can be made; the message says what to do instead."""
