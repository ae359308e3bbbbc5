"""How good the graph's consumers are, on calls of which the truth is known.

`truth` reads the calls, `callbus.offline` puts them through the graph, `heard` is what came out beside what is true.
Then each measure is a file of its own: `words`, `translation`, `entities`, `redaction`, `labels`, `calibration`, `qa`,
`alerts`; all pure. `measures` takes them together, `form` is their JSON, `report` the page.
"""
