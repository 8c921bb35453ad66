"""The main job of the service, done once before your eyes: ``make demo``."""
