"""`oms stock`: what there is, where, for whom. One module for each group of commands, each adding its own."""
