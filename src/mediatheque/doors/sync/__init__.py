"""Door 2: folders mirrored into buckets."""
