"""After the night: how often and how deep each part of the sky was seen, and where candidates were found."""
