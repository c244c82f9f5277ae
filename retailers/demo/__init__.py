"""A French retailer of fashion (Ondelle) and home (Cairn): every name, number and figure is invented."""
