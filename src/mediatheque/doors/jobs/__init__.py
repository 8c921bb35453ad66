"""Door 3: jobs as JSON:API resources."""
