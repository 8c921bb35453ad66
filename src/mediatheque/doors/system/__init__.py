"""The system: what the service is, holds and does, and the folders of its machine."""
