"""Use cases: one module per noun, one public method per thing that can be asked."""
