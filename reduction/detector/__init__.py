"""From raw counts to electrons: reading a file, the corrections of a detector, and the masters they need."""
