"""HTTP mechanics that every door shares; ignorant of nouns."""
