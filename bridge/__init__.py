"""How frames reach an engine or an editor: senders and take writers."""
