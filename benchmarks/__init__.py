"""Benchmarks: each is a module with `run()`, which returns figures whose names end in their unit."""
