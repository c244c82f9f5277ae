"""`oms simulate`: another ruleset over past orders, beside the one in force, through the gateway's REST API.

`setup` turns options and files into what is sent, `following` waits for the result, `report` tells it in tables,
`plot` draws it; `command` is what people type.
"""
