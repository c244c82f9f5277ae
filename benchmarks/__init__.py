"""Figures beside their limits; both sides of a ratio are measured in the same run. No figure fails a build.

`figures` is the table of all, `system` what is measured, `meter` what it spends; the other modules are benchmarks.
"""
