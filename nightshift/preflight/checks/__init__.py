"""One check a function. A new one is a function with `@check` in a module of this folder; nothing else names it."""
