"""Who is asking: credential to Principal."""
