"""Figures as ratios to a limit measured in the same run. Never tests: a loaded machine is no failure."""
