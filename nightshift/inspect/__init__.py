"""One page of pictures of a reduced quadrant: ``nightshift inspect``."""
