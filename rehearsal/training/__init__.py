"""Train the real-bogus model on simulated pairs of images."""
