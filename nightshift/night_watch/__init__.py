"""What is noticed while a night is open, within minutes, and told once: no files, a silent detector, clouds."""

from nightshift.night_watch.look import look_at_open_night

__all__ = ["look_at_open_night"]
