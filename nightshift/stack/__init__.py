"""The parts of Nightshift on one machine, under one supervisor that ends them all cleanly."""
