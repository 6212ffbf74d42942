"""Pixels and catalogues: pure functions on arrays and tables.

Nothing here knows a database, a network, a workflow engine or a clock.
"""
