"""How a running performance is told what to do: by keyboard and by OSC."""
