"""The queue: which jobs want to be run, and who runs them. The only room that knows its library."""
