"""Whom to ask about what: sizes, criteria and selection over plain arrays, free of Spark and torch."""
