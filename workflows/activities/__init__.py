"""Thin translations: build a request, make one call, translate the reply. No rules.

The only part of `workflows` that stories do not import and that knows the protos.
"""
