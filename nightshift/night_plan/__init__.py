"""The plan of a night: what is taken, what runs and when, with which masters and references, and what it takes."""
