"""What jobs do: one module per noun. A workflow is a door whose caller is the queue."""
