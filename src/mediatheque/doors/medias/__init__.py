"""Door 3: medias as JSON:API resources."""
