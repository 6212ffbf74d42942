"""Catalogues of calibrator stars: from somebody's own table to what the reduction of a field reads."""
