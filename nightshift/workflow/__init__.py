"""From what the ledger holds to what is due, to arrays of jobs, and back into the ledger."""
