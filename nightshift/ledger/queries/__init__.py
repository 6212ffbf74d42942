"""Named queries as typed functions, a module a topic: `make queries` writes them from `sql/queries`."""
