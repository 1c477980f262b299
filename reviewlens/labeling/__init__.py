"""What people say of reviews: exchange with labelling tools, and agreement. Free of Spark and torch."""
