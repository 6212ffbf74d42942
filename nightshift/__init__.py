"""The virtual pipeline operator of a time-domain sky survey."""

__version__ = "0.1.0"
