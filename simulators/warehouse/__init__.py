"""A warehouse management system for tests and the demo, reached over HTTP."""
