"""Figures of the night for Prometheus, made from the ledger."""
