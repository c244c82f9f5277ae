"""The endpoints, one file a subject. Each checks the caller's scope, makes its calls, translates the answer."""
