"""The HTTP doors: each parses, calls one service method, renders."""
