"""One story for each job."""
