"""Work of points that another system does: what it is sent, what it answers, where it is silent."""
