"""What happens to jobs, as it happens."""
