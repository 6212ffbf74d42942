"""The checks of the afternoon: whether the night can begin, and what somebody should look at before it does."""
