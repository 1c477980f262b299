"""Everything that knows Spark and Delta."""
