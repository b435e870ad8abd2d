"""How a rollout stands, for people who never used the program: one HTML page that needs nothing beside it.

What is read is in ``facts.py``, with ``history.py`` (the journal) and ``gate_history.py`` (samples); what is said of it in
``story.py``, ``actions.py``, ``wave_parts.py``, ``move_parts.py``, ``incidents.py`` and ``plain_words.py``; what is drawn in
``charts.py`` and ``drawing.py``.
``page.py`` puts them together, ``serving.py`` shows it to browsers of this machine. Nothing here asks an account or changes
anything.
"""
