"""Play a night on one machine: files into the inbox at their pace, a live view, and the score at the end."""
