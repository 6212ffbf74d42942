"""What a calibrated image shows: sources, the PSF, photometry, astrometry, and how good it all is."""
