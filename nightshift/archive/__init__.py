"""A night's files, kept with their checksums and read back."""
