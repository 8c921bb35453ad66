"""Resumable uploads: tus 1.0.0 and HTTP's own, at the same addresses."""
