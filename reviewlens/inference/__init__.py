"""The cascade, free of Spark."""
