"""Real or bogus: what a candidate is described by, and the model that judges it."""
