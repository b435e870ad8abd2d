"""How a rollout stands, for Prometheus: series made of ``standing``, and the two ways they are fetched.

``series.py`` lists every series with its help, ``collector.py`` gives them to ``prometheus_client``, ``page.py`` prints
``docs/metrics.md`` from the list. Figures of the state store only: nothing here asks an account, and no series holds a secret.
"""
