"""Stock: what there is, where, for whom, and who holds it."""
