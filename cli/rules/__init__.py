"""The `oms rules` commands: what plans are judged by, as text that people edit."""
