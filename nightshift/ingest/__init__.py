"""From files in the inbox to raw frames of the ledger, each exactly once, or to quarantine with a reason.

Nothing is imported here: a node that reads a file needs no ledger.
"""
