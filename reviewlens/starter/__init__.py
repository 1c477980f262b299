"""The bundle that ships with the package, and the corpus that made it."""
