"""Training of the real-bogus model, and new sources put into real frames."""
