"""`oms replay`: the orders of a file, placed on the running system through its REST API.

`reading` turns rows into orders or says what is wrong, `items` creates what the file sells, `placing` sends an
order and tells its outcome, `sending` keeps on until there is an answer, `report` counts every row once, `running`
puts them together; `options` and `command` are what people type.
"""
