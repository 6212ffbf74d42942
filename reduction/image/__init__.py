"""Images on a pixel grid: the frame with its variance and mask, and what moves, joins, packs or cuts it."""
