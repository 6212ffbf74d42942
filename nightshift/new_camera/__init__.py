"""A draft of the settings of a camera that was never seen before, from a folder of its raw files."""
