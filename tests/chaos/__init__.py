"""Real faults against real processes: workers killed, paused and outnumbered, the warehouse and the broker taken away.

Every run is held against the plain-Python fold of its input. SIGKILL does not test power loss, and the embedded broker
lives in memory, so it is paused, never killed.
"""
