"""Door 4: files by signed upload, with tags."""
